"""Histories -> their curves with what came of each."""

from collections.abc import Sequence
from typing import NamedTuple

from trainer.bootstrap import Settings
from trainer.training_curves.change import change_of
from trainer.training_curves.history import History
from trainer.training_curves.result import RunChanges, Training


class TrainingCurves(NamedTuple):
    """Runs as they are shown: what they logged, and by how much it changed."""

    histories: Sequence[History]
    training: Training

    @property
    def metrics(self) -> list[str]:
        """The keys that any run has, in the order in which they come."""
        return list(dict.fromkeys(key for history in self.histories for key in history.metrics))


def training_curves(histories: Sequence[History], settings: Settings) -> TrainingCurves:
    """The curves of one run or more; every metric is resampled alike."""
    runs = [
        RunChanges(
            name=history.name,
            file=history.file,
            steps=history.steps,
            first_step=history.first,
            last_step=history.last,
            metrics={key: change_of(curve.values, settings) for key, curve in history.metrics.items()},
        )
        for history in histories
    ]
    resamples, seed, confidence = settings
    return TrainingCurves(histories, Training(runs=runs, resamples=resamples, seed=seed, confidence=confidence))
