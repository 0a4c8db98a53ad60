"""What a published table of per-type figures comes to overall, beside trivial policies on the same label counts."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from pydantic import BaseModel, ConfigDict

from reward_server.reward.spec import RewardSpec
from trainer.evaluation.baselines import label_policies
from trainer.evaluation.counts import Counts
from trainer.evaluation.figures import headlines
from trainer.evaluation.published import FIGURES, Percent, Printing, PublishedRun
from trainer.evaluation.sentences import FIGURE_NAMES


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Overall(_Part):
    """One overall accuracy, worked out from the rows."""

    value: float
    """The share, by the likeliest counts."""
    low: float
    """The least that the rows' rounding allows."""
    high: float
    """The most."""
    published: str | None
    """In percent, as it was printed; None where it was not."""
    fits: bool | None
    """Whether the published figure may be one of those possible; None where there is none."""
    printing: Printing | None
    """How it fits: rounded, or cut off after its last digit."""


class TableBaseline(_Part):
    """A policy that looks at no page, on the same label counts."""

    exact_accuracy: float
    type_accuracy: float
    type_f1_macro: float
    type_f1_weighted: float


class TableRun(_Part):
    """One run of a table."""

    run: str
    rollouts: int
    by_label_type: Mapping[str, int]
    exact_accuracy: Overall
    type_accuracy: Overall
    published_f1: str | None
    """In percent, as it was printed. The rows cannot check it: that takes how often each type was predicted."""
    baselines: Mapping[str, TableBaseline]
    """`always_<type>` and `random`; the others take the rollouts themselves."""
    rivals: Mapping[str, str]
    """Figure -> the strongest baseline, where it reaches or beats the run.

    `type_f1_macro` is of the published F1, and only where the baseline's weighted F1 reaches it, too: tables seldom say
    which of the two they print.
    """
    warnings: Sequence[str]
    """What does not fit together."""


class CheckedTable(_Part):
    """A published table, checked."""

    file: str
    fits: bool
    """Whether every percentage is one that can be, and no published overall figure contradicts its rows."""
    runs: Sequence[TableRun]
    warnings: Sequence[str]
    """Which runs a trivial policy reaches or beats."""


def check_table(file: str, runs: Sequence[PublishedRun], spec: RewardSpec) -> CheckedTable:
    """Every run's overall figures, beside what trivial policies score."""
    checked = [_check_run(run, spec) for run in runs]
    fits = not any(run.warnings for run in checked)
    return CheckedTable(file=file, fits=fits, runs=checked, warnings=_beaten(checked))


def _check_run(run: PublishedRun, spec: RewardSpec) -> TableRun:
    rollouts = sum(row.rollouts for row in run.types.values())
    overall = {f"{figure}_accuracy": _overall(run, figure, rollouts) for figure in FIGURES}
    f1 = run.overall.get("f1")
    baselines = _baselines({name: row.rollouts for name, row in run.types.items()}, spec)
    return TableRun(
        run=run.name,
        rollouts=rollouts,
        by_label_type={name: row.rollouts for name, row in run.types.items()},
        **overall,
        baselines=baselines,
        published_f1=None if f1 is None else f1.text,
        rivals=_rivals(overall, baselines) | _f1_rival(f1, baselines),
        warnings=[*_broken(run), *_misfits(overall)],
    )


def _overall(run: PublishedRun, figure: str, rollouts: int) -> Overall:
    hits = [row.hits[figure] for row in run.types.values()]
    low, high = (Fraction(sum(bounds), rollouts) for bounds in ((h.low for h in hits), (h.high for h in hits)))
    published = run.overall.get(figure)
    printing = published and published.printing(low, high)
    return Overall(
        value=float(sum(h.likeliest for h in hits) / rollouts),
        low=float(low),
        high=float(high),
        published=published and published.text,
        fits=None if published is None else printing is not None,
        printing=printing,
    )


def _baselines(labels: Mapping[str, int], spec: RewardSpec) -> dict[str, TableBaseline]:
    counts = Counts.of_labels(np.array([*labels.values()], dtype=np.float64))
    scores = {
        name: headlines(policy.predict(counts), counts.labels)
        for name, policy in label_policies(spec, [*labels]).items()
        if policy.predict is not None
    }
    return {name: TableBaseline(**{key: float(x) for key, x in found.items()}) for name, found in scores.items()}


def _broken(run: PublishedRun) -> list[str]:
    return [
        f"No whole number of the {row.rollouts:,} {name} rollouts makes the percentage printed for {figure}."
        for name, row in run.types.items()
        for figure, hits in row.hits.items()
        if not hits.whole
    ]


def _misfits(overall: Mapping[str, Overall]) -> list[str]:
    return [
        f"The rows make {100 * found.value:.2f} % {FIGURE_NAMES[figure]}, not the published {found.published}."
        for figure, found in overall.items()
        if found.fits is False
    ]


def _rivals(overall: Mapping[str, Overall], baselines: Mapping[str, TableBaseline]) -> dict[str, str]:
    found = {}
    for figure, run in overall.items():
        best = max(baselines, key=lambda name: getattr(baselines[name], figure))
        if getattr(baselines[best], figure) >= run.low:
            found[figure] = best
    return found


def _f1_rival(f1: Percent | None, baselines: Mapping[str, TableBaseline]) -> dict[str, str]:
    scores = {name: min(found.type_f1_macro, found.type_f1_weighted) for name, found in baselines.items()}
    best = max(scores, key=lambda name: scores[name])
    return {"type_f1_macro": best} if f1 is not None and scores[best] >= f1.high else {}


def _beaten(runs: Sequence[TableRun]) -> list[str]:
    beaten: dict[tuple[str, str, float], list[str]] = {}
    for run in runs:
        for figure, name in run.rivals.items():
            score = getattr(run.baselines[name], figure)
            own = run.published_f1 if figure == "type_f1_macro" else f"{100 * getattr(run, figure).value:.2f}"
            beaten.setdefault((figure, name, score), []).append(f"{run.run} ({own})")
    return [
        f"The baseline {name} scores {100 * score:.2f} % {FIGURE_NAMES[figure]}; not beaten by: {', '.join(names)}."
        for (figure, name, score), names in beaten.items()
    ]
