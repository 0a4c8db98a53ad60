"""Baselines that a model does not clearly beat."""

from collections.abc import Iterator, Mapping

from trainer.evaluation.result import HEADLINES, Baseline, Rival


def rivals(model: Mapping[str, float], baselines: Mapping[str, Baseline]) -> list[Rival]:
    """Per headline figure, the baselines that reach the model or may do so by chance, the strongest first."""
    return [rival for figure in HEADLINES for rival in sorted(_of(figure, model, baselines), key=lambda r: -r.score)]


def _of(figure: str, model: Mapping[str, float], baselines: Mapping[str, Baseline]) -> Iterator[Rival]:
    for name, baseline in baselines.items():
        score = getattr(baseline, figure)
        if score is None:
            continue
        lead = baseline.leads[figure]
        if score >= model[figure]:
            verdict = "beats" if score > model[figure] else "equals"
        elif lead is not None and lead[0] <= 0:
            verdict = "within_chance"
        else:
            continue
        yield Rival(baseline=name, figure=figure, score=score, model=model[figure], lead=lead, verdict=verdict)
