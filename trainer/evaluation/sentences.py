"""What a reader of the figures must know, in plain sentences. Names in them are as the data has them, not escaped."""

from collections.abc import Iterator, Mapping, Sequence

from trainer.evaluation.result import Bootstrap, PerType, Rival

FIGURE_NAMES = {
    "exact_accuracy": "exact accuracy",
    "exact_accuracy_rouge_l": "exact accuracy (ROUGE-L)",
    "type_accuracy": "type accuracy",
    "type_f1_macro": "macro F1",
    "type_f1_weighted": "weighted F1",
    "type_f1_macro_with_invalid": "macro F1 with invalid",
    "session_macro_exact_accuracy": "exact accuracy, mean of sessions",
    "session_macro_type_accuracy": "type accuracy, mean of sessions",
    "valid": "valid completions",
    "mean_score": "mean score",
    "mean_reward": "mean reward",
}
"""Figures as they are called before a reader."""


def percent(share: float) -> str:
    """A share as text: 27.3 %."""
    return f"{100 * share:.1f} %"


def rival_sentences(rivals: Sequence[Rival], confidence: float) -> list[str]:
    """One sentence per headline figure, on the strongest baseline that the model does not clearly beat."""
    return [_rival(rival, confidence) for rival in strongest_rivals(rivals)]


def strongest_rivals(rivals: Sequence[Rival]) -> list[Rival]:
    """The first of each headline figure."""
    strongest: dict[str, Rival] = {}
    for rival in rivals:
        strongest.setdefault(rival.figure, rival)
    return list(strongest.values())


def warnings(
    rivals: Sequence[Rival],
    bootstrap: Bootstrap,
    per_type: Mapping[str, PerType],
    untold: int,
    repeated_steps: int,
    bad_lines: int,
) -> list[str]:
    """Every warning of one run, the gravest first."""
    return [
        *rival_sentences(rivals, bootstrap.confidence),
        *_clustering(bootstrap),
        *_missing_types(bootstrap, per_type),
        *_untold(untold),
        *_repeats(repeated_steps),
        *_bad(bad_lines),
    ]


def _rival(rival: Rival, confidence: float) -> str:
    figure = FIGURE_NAMES[rival.figure]
    start = f"The baseline {rival.baseline} scores {percent(rival.score)} {figure}"
    if rival.verdict == "equals":
        return f"{start}, and so does the model."
    start = f"{start}, the model {percent(rival.model)}"
    if rival.verdict == "beats" or rival.lead is None:
        return f"{start}: the model does not beat it."
    low, high = (100 * bound for bound in rival.lead)
    return f"{start}: the lead may be chance ({100 * confidence:g} % interval {low:.1f} to {high:.1f} points)."


def _clustering(bootstrap: Bootstrap) -> Iterator[str]:
    if bootstrap.reason is not None:
        yield f"There are no intervals: {bootstrap.reason}."
    elif bootstrap.unit == "group":
        yield "No rollout names a session: the intervals take groups for independent, and are too narrow if not."
        if bootstrap.alone:
            subject = "1 rollout names" if bootstrap.alone == 1 else f"{bootstrap.alone:,} rollouts name"
            yield f"{subject} no group either, and count as a group of their own each."
    elif bootstrap.unit == "rollout":
        yield (
            "No rollout names a session or a group: the intervals take rollouts for independent, and are too narrow if "
            "they are not."
        )


def _missing_types(bootstrap: Bootstrap, per_type: Mapping[str, PerType]) -> Iterator[str]:
    for name, figures in per_type.items():
        if figures.resamples_without:
            share = percent(figures.resamples_without / bootstrap.resamples)
            yield f"{share} of the resamples hold no {name} label; they are left out of its intervals."


def _untold(untold: int) -> Iterator[str]:
    if untold:
        subject = "1 rollout" if untold == 1 else f"{untold:,} rollouts"
        yield (
            f"The baseline copy_last_action counts {subject} as wrong whose last action neither the line nor the file "
            "tells: it may be better than it looks."
        )


def _repeats(repeated_steps: int) -> Iterator[str]:
    if repeated_steps:
        subject = "1 rollout is" if repeated_steps == 1 else f"{repeated_steps:,} rollouts are"
        yield f"{subject} of a step that an earlier rollout was of: further samples of it, or lines that stand twice."


def _bad(bad_lines: int) -> Iterator[str]:
    if bad_lines:
        subject = "1 line" if bad_lines == 1 else f"{bad_lines:,} lines"
        yield f"{subject} could not be scored, and no figure has them in it."
