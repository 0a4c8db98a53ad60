"""Rollouts as rows of numbers: 60 bytes each, so that ten million of them fit into memory.

Sessions and actions are kept as 64-bit digests. Two of ten million share one by chance with probability 3e-6.
"""

import struct
from hashlib import blake2b

import numpy as np
import orjson
from numpy.typing import NDArray

from reward_server.reward.action import Action
from reward_server.reward.spec import RewardSpec
from trainer.evaluation.result import Unit
from trainer.evaluation.rollouts import Observation

NONE = -1
"""Type of an action that there is not."""

_FIELDS = {
    "line": ("q", "i8"),
    "cluster": ("Q", "u8"),
    "label_action": ("Q", "u8"),
    "last_action": ("Q", "u8"),
    "step": ("i", "i4"),
    "label": ("h", "i2"),
    "predicted": ("h", "i2"),
    "last": ("h", "i2"),
    "exact": ("?", "?"),
    "similar": ("?", "?"),
    "reward": ("d", "f8"),
    "score": ("d", "f8"),
}
_ROW = struct.Struct("<" + "".join(code for code, _ in _FIELDS.values()))
_DTYPE = np.dtype([(name, f"<{dtype}" if dtype != "?" else dtype) for name, (_, dtype) in _FIELDS.items()])

Rows = NDArray[np.void]
"""A structured array.

`line`; digests of the `cluster`, the `label_action` and the `last_action`; `step`, 0 for none; the types `label`,
`predicted` and `last` as indexes into the sorted action types, where `predicted` counts `unknown` and `invalid` as the
two that follow, and `last` is NONE for none; `exact`, and `similar` for a match in meaning; `reward` and `score`,
without the certainty term.
"""


class RunError(ValueError):
    """Rollouts of which no honest figures can be made: names the lines that contradict each other."""


class RowTable:
    """Rows in the making. Clusters are sessions; where no line names one, groups, and rollouts without a group."""

    def __init__(self, spec: RewardSpec) -> None:
        self._index = {name: index for index, name in enumerate(spec.action_space)}
        self._bytes = bytearray()
        self._first: Observation | None = None
        self._grouped = False
        self.alone = 0
        """Rollouts that name neither a session nor a group."""

    def add(self, seen: Observation, action: int, similar: bool) -> None:
        """Add one rollout, whose label has the digest `action`. Raises RunError."""
        last, last_action = NONE, 0
        if seen.last_action is not None:
            last, last_action = self._index[seen.last_action.type], action_digest(seen.last_action)
        self._bytes += _ROW.pack(
            seen.line,
            self._cluster(seen),
            action,
            last_action,
            seen.step or 0,
            self._index[seen.label.type],
            self.predicted(seen),
            last,
            seen.card.exact_match,
            similar,
            seen.card.reward,
            seen.card.score,
        )

    def predicted(self, seen: Observation) -> int:
        """The predicted type's index."""
        action = seen.card.action
        return len(self._index) + 1 if action is None else self._index.get(action.type, len(self._index))

    @property
    def unit(self) -> Unit:
        """What the rollouts so far are clustered by."""
        if self._first is not None and self._first.session is not None:
            return "session"
        return "group" if self._grouped else "rollout"

    def rows(self) -> Rows:
        """All rows added, in order."""
        return np.frombuffer(self._bytes, dtype=_DTYPE)

    def _cluster(self, seen: Observation) -> int:
        first = self._first = self._first or seen
        if (first.session is None) != (seen.session is None):
            names, but = ("no", "does") if seen.session is None else ("a", "does not")
            raise RunError(f"line {seen.line} names {names} session, but line {first.line} {but}")
        if seen.session is not None:
            return text_digest(seen.session.encode())
        if seen.group is not None:
            self._grouped = True
            return text_digest(seen.group.encode())
        self.alone += 1
        return seen.line


def action_digest(action: Action) -> int:
    """64 bits that two actions share only when they are the same."""
    return text_digest(orjson.dumps(action.as_dict(), option=orjson.OPT_SORT_KEYS))


def text_digest(text: bytes) -> int:
    """64 bits of BLAKE2b."""
    return int.from_bytes(blake2b(text, digest_size=8).digest())
