"""Which rollouts are of one prompt: OpenRLHF starts them together, but tells its executors neither group nor number."""

from asyncio import Event
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex


@dataclass(slots=True)
class _Group:
    name: str
    shared: object
    """Held, so that no later group's object can be given the same identity."""
    joined: int = 0
    active: int = 0
    lost: int = 0
    """Members that left without a reward."""
    rewards: list[float] = field(default_factory=list)
    settled: Event = field(default_factory=Event)


class Place:
    """Where a rollout belongs."""

    def __init__(self, group: _Group) -> None:
        self._group = group
        self._has_reward = False
        self.group = group.name
        """Unique over all engines of all runs, but for a chance of 1 in 10^9."""
        self.number = group.joined
        """Of the rollout in its group, counted from 0."""
        group.joined += 1
        group.active += 1

    async def rewards(self, own: float) -> list[float]:
        """Those of the whole group, once each of its rollouts has its own; without those of rollouts that failed."""
        self._has_reward = True
        self._group.rewards.append(own)
        self._settle()
        await self._group.settled.wait()
        return self._group.rewards

    def leave(self) -> None:
        """Be over, with a reward or without."""
        self._group.active -= 1
        if not self._has_reward:
            self._group.lost += 1
            self._settle()

    def _settle(self) -> None:
        if len(self._group.rewards) + self._group.lost == self._group.joined:
            self._group.settled.set()


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
        place = Place(group)
        try:
            yield place
        finally:
            place.leave()
            if not group.active:
                del self._open[key]
