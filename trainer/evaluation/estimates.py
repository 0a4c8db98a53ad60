"""Every figure of a run and of its baselines, each with its interval, from the same resamples."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from trainer.bootstrap import Floats, Settings, interval, resampled_figures
from trainer.evaluation.baselines import Policy
from trainer.evaluation.counts import Counts, sample_of
from trainer.evaluation.figures import headlines, model_figures, per_type_figures
from trainer.evaluation.result import HEADLINES, Intervals
from trainer.evaluation.run import Run

MODEL, BASELINE, LEAD, TYPE = "model", "baseline", "lead", "type"

_Key = tuple[str, str, str]
"""One of the four kinds above; the baseline or the type, "" for the model; the figure."""


class Estimates(NamedTuple):
    """Figures and their intervals."""

    values: Mapping[_Key, float]
    """NaN where a figure is 0/0."""
    bounds: Mapping[_Key, tuple[float, float] | None]
    undefined: Mapping[_Key, int]
    """Resamples in which the figure is 0/0."""
    clusters: int
    reason: str | None
    """Why there are no intervals."""

    def of(self, kind: str, name: str = "") -> dict[str, float]:
        """Figure -> value."""
        return {key[2]: value for key, value in self.values.items() if key[:2] == (kind, name)}

    def intervals(self, kind: str, name: str = "") -> Intervals:
        """Figure -> interval."""
        return {key[2]: bound for key, bound in self.bounds.items() if key[:2] == (kind, name)}


def estimate(run: Run, baselines: Mapping[str, Policy], settings: Settings) -> Estimates:
    """Compute every figure, and resample it where there are clusters enough."""
    sample = sample_of([run.clusters])

    def figures(sums: Floats) -> dict[_Key, Floats]:
        return _figures(Counts.split(sums), sample.clusters, run.types, baselines)

    values = {key: float(value) for key, value in figures(sample.total()).items()}
    if sample.clusters < 2:
        unit = run.tally.table.unit
        reason = f"an interval needs two {unit}s or more, and there is one"
        return Estimates(values, dict.fromkeys(values), dict.fromkeys(values, 0), sample.clusters, reason)
    draws = resampled_figures(sample, settings, figures)
    bounds = {key: interval(drawn, settings.confidence) for key, drawn in draws.items()}
    undefined = {key: int(np.isnan(drawn).sum()) for key, drawn in draws.items()}
    return Estimates(values, bounds, undefined, sample.clusters, None)


def _figures(counts: Counts, clusters: int, types: list[str], baselines: Mapping[str, Policy]) -> dict[_Key, Floats]:
    model = model_figures(counts, clusters)
    found = {(MODEL, "", figure): value for figure, value in model.items()}
    for figure, by_type in per_type_figures(counts).items():
        found |= {(TYPE, name, figure): by_type[..., index] for index, name in enumerate(types)}
    for name, policy in baselines.items():
        if policy.predict is not None:
            scores = headlines(policy.predict(counts), counts.labels)
            found |= {(BASELINE, name, figure): scores[figure] for figure in HEADLINES}
            found |= {(LEAD, name, figure): model[figure] - scores[figure] for figure in HEADLINES}
    return found
