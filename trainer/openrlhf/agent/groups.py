"""Which rollouts are of one prompt: OpenRLHF starts them together, but tells its executors neither group nor number."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import NamedTuple


class Place(NamedTuple):
    """Where a rollout belongs."""

    group: str
    """Unique over all engines of all runs, but for a chance of 1 in 10^9."""
    number: int
    """Of the rollout in its group, counted from 0."""


@dataclass(slots=True)
class _Group:
    name: str
    shared: object
    """Held, so that no later group's object can be given the same identity."""
    joined: int = 0
    active: int = 0


class Groups:
    """Tells the groups of one engine apart.

    `RolloutRayActor.generate_responses` starts all samples of a prompt in one `asyncio.gather`, with one object of
    sampling parameters that was made for this call. So all join before the first of them can leave.
    """

    def __init__(self) -> None:
        self._engine = token_hex(5)
        self._met = 0
        self._open: dict[int, _Group] = {}

    @contextmanager
    def place(self, shared: object) -> Iterator[Place]:
        """The place of a rollout among those that are given the same object, for as long as the block runs."""
        key = id(shared)
        group = self._open.get(key)
        if group is None:
            group = self._open[key] = _Group(f"{self._engine}-{self._met}", shared)
            self._met += 1
        group.joined += 1
        group.active += 1
        try:
            yield Place(group.name, group.joined - 1)
        finally:
            group.active -= 1
            if not group.active:
                del self._open[key]
