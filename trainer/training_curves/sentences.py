"""What came of a run, in a sentence. Names in it are as the data has them, not escaped."""

from trainer.training_curves.metrics import OBJECTIVES
from trainer.training_curves.quantity import quantity
from trainer.training_curves.result import Change, RunChanges

_NAMES = {"reward": "the optimised reward", "gpt_loss": "the loss"}


def objective(run: RunChanges) -> str | None:
    """The key of what the run optimises; None where it logs nothing of the kind."""
    return next((key for key in OBJECTIVES if key in run.metrics), None)


def outcome(run: RunChanges, confidence: float) -> str:
    """How what the run optimises changed: `the optimised reward rose by 0.41 (95 % interval …), from 0.1 to 0.51`."""
    steps = "1 step" if run.steps == 1 else f"{run.steps:,} steps"
    key = objective(run)
    if key is None:
        return f"{steps}, and neither a reward nor a loss"
    change = run.metrics[key]
    if change.points == 1:
        return f"{_NAMES[key]} is {quantity(change.first)} on the only step that has it"
    return f"{_NAMES[key]} {_movement(change, confidence)} over {steps}"


def _movement(change: Change, confidence: float) -> str:
    means = f"from {quantity(change.first)} to {quantity(change.last)}"
    if change.difference == 0:
        return f"stayed the same, {means},"
    went = "rose" if change.difference > 0 else "fell"
    by = f"{went} by {quantity(abs(change.difference))}"
    if change.interval is None:
        return f"{by} (no interval: {change.reason}), {means},"
    low, high = change.interval if change.difference > 0 else (-change.interval[1], -change.interval[0])
    text = f"{by} ({100 * confidence:g} % interval {quantity(low)} to {quantity(high)})"
    return f"{text}, which may be chance, {means}," if low <= 0 else f"{text}, {means},"
