"""Two runs on the same sessions: by how much one differs from the other, and whether chance explains it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trainer.bootstrap import Floats, Settings, interval, resampled_figures
from trainer.evaluation.counts import Counts, sample_of
from trainer.evaluation.figures import model_figures
from trainer.evaluation.result import COMPARED, REWARDS, Comparison, Difference
from trainer.evaluation.rows import Rows, RunError
from trainer.evaluation.run import Run

_ODD = np.uint64(0x9E3779B97F4A7C15)


def compare(reference: Run, run: Run, settings: Settings) -> Comparison:
    """The run's figures minus the reference's, with the same clusters resampled in both.

    Raises RunError naming the first label that one of them lacks.
    """
    _check(reference, run)
    sample = sample_of([reference.clusters, run.clusters])

    def differences(sums: Floats) -> Mapping[str, Floats]:
        left, right = (model_figures(Counts.split(half), sample.clusters) for half in np.split(sums, 2, axis=-1))
        return {figure: right[figure] - left[figure] for figure in (*COMPARED, *REWARDS)}

    values = differences(sample.total())
    draws = resampled_figures(sample, settings, differences) if sample.clusters > 1 else None
    return Comparison(
        file=run.file,
        reference=reference.file,
        differences={
            figure: Difference(
                difference=float(values[figure]),
                interval=None if draws is None else interval(draws[figure], settings.confidence),
                p_value=None if draws is None else p_value(draws[figure]),
            )
            for figure in (*COMPARED, *REWARDS)
        },
    )


def p_value(differences: Floats) -> float:
    """Two-sided: min(1, 2 × (1 + min(#{d ≤ 0}, #{d ≥ 0})) / (1 + resamples)). Never 0, and in step with the interval.

    Source: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), chapter 4, for the 1s.
    """
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (1 + rarer) / (1 + differences.size))


def _check(reference: Run, run: Run) -> None:
    """Hold the two to the same labels, as often, in the same clusters. Raises RunError."""
    ours, theirs = reference.tally.table.unit, run.tally.table.unit
    if ours != theirs:
        raise RunError(f"{reference.file} is clustered by {ours} and {run.file} by {theirs}: they cannot be compared")
    left, right = _places(reference.rows), _places(run.rows)
    for one, other, places, others in ((reference, run, left, right), (run, reference, right, left)):
        missing = _first_missing(places, others)
        if missing is not None:
            row = one.rows[missing]
            name = list(one.spec.action_space)[row["label"]]
            where = "on that line" if ours == "rollout" else f"in the same {ours}"
            raise RunError(
                f"{other.file} does not have the labels of {one.file}: the {name} label on line {row['line']} of "
                f"{one.file} has no counterpart {where}"
            )


def _places(rows: Rows) -> NDArray[np.uint64]:
    """One number for each rollout's cluster and label action together."""
    places: NDArray[np.uint64] = rows["cluster"] * _ODD + rows["label_action"]
    return places


def _first_missing(places: NDArray[np.uint64], others: NDArray[np.uint64]) -> int | None:
    """Where the first place stands that has by then come more often than among all the others."""
    order = np.argsort(places, kind="stable")
    found, start, counts = np.unique(places[order], return_index=True, return_counts=True)
    other, other_counts = np.unique(others, return_counts=True)
    at = np.minimum(np.searchsorted(other, found), len(other) - 1)
    known = np.where(other[at] == found, other_counts[at], 0)
    lacking = counts > known
    return int(order[(start + known)[lacking]].min()) if lacking.any() else None
