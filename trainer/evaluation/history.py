"""What each session did just before: the last action that a rollout names, or the label of the step before its own."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.result import Unit
from trainer.evaluation.rows import NONE, Rows, RunError

_STEP_BITS = 30


class History(NamedTuple):
    """The action before each of the rollouts."""

    known: bool
    """Whether any rollout has one."""
    type: NDArray[np.int16]
    """Index of its type; NONE for none."""
    repeats: NDArray[np.bool_]
    """Whether it is the label action again."""
    untold: int
    """Rollouts, first steps aside, whose last action neither their line nor the file tells."""
    repeated_steps: int
    """Rollouts of a step that an earlier rollout was of, too."""


def history(rows: Rows, cluster: NDArray[np.int64], unit: Unit) -> History:
    """The action before each rollout; `cluster` are the rows' clusters, counted from 0.

    Raises RunError naming the lines that give one step of a session two labels.
    """
    last, last_action = rows["last"].copy(), rows["last_action"].copy()
    placed = np.flatnonzero(rows["step"]) if unit == "session" else np.zeros(0, dtype=np.int64)
    place = cluster[placed] << _STEP_BITS | rows["step"][placed]
    order = np.argsort(place, kind="stable")
    placed, place = placed[order], place[order]
    repeated = place[1:] == place[:-1]
    _check(rows, placed, repeated)
    before = np.searchsorted(place, place - 1)
    open_ = (place[before] == place - 1) & (last[placed] == NONE) if placed.size else np.zeros(0, dtype=bool)
    last[placed[open_]] = rows["label"][placed[before[open_]]]
    last_action[placed[open_]] = rows["label_action"][placed[before[open_]]]
    acted = last != NONE
    repeats = acted & (last_action == rows["label_action"])
    untold = ~acted & (rows["step"] != 1)
    return History(bool(acted.any()), last, repeats, int(untold.sum()), int(repeated.sum()))


def _check(rows: Rows, placed: NDArray[np.int64], repeated: NDArray[np.bool_]) -> None:
    action, line = rows["label_action"][placed], rows["line"][placed]
    clashes = np.flatnonzero(repeated & (action[1:] != action[:-1]))
    if clashes.size:
        clash = clashes[np.argmin(line[clashes + 1])]
        step = rows["step"][placed[clash]]
        raise RunError(f"lines {line[clash]} and {line[clash + 1]} give step {step} of one session different labels")
