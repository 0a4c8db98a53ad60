"""The model and the baselines side by side, as the report lists and draws them."""

from collections.abc import Mapping
from typing import NamedTuple

from trainer.evaluation.result import COMPARED, HEADLINES, Baseline, Evaluation, Intervals

MODEL = "the model"


class Policy(NamedTuple):
    """The model, or a baseline."""

    name: str
    figures: Mapping[str, float | None]
    """The figures of COMPARED; those that a baseline does not have are None."""
    intervals: Intervals
    baseline: Baseline | None
    """None for the model."""

    @property
    def is_model(self) -> bool:
        """Whether this is what was evaluated."""
        return self.baseline is None


def policies(evaluation: Evaluation) -> list[Policy]:
    """The model, then the baselines, the best by exact and then by type accuracy first, those without figures last."""
    model = Policy(MODEL, {figure: getattr(evaluation, figure) for figure in COMPARED}, evaluation.intervals, None)
    beside = [
        Policy(name, {**dict.fromkeys(COMPARED), **_headlines(baseline)}, baseline.intervals, baseline)
        for name, baseline in evaluation.baselines.items()
    ]
    return [model, *sorted(beside, key=_rank)]


def best_baseline(evaluation: Evaluation) -> Policy | None:
    """The baseline with the highest exact accuracy; None where none has figures."""
    return next((policy for policy in policies(evaluation)[1:] if policy.figures["exact_accuracy"] is not None), None)


def best_constant(evaluation: Evaluation, name: str) -> float | None:
    """The exact accuracy, among labels of one type, of the best baseline that always predicts this type."""
    labels = evaluation.per_type[name].rollouts
    exact = [
        baseline.exact_accuracy * evaluation.rollouts / labels
        for baseline in evaluation.baselines.values()
        if baseline.exact_accuracy is not None and (baseline.action or {}).get("type") == name
    ]
    return max(exact, default=None)


def _headlines(baseline: Baseline) -> dict[str, float | None]:
    return {figure: getattr(baseline, figure) for figure in HEADLINES}


def _rank(policy: Policy) -> tuple[float, float]:
    """Sorts the best first; no figure counts as less than 0."""
    exact, kind = policy.figures["exact_accuracy"], policy.figures["type_accuracy"]
    return -(-1.0 if exact is None else exact), -(-1.0 if kind is None else kind)
