"""A circuit breaker: when a server has failed several times in a row, one at a time tries it, and the rest wait."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reward_server.patience import Transient

MOST_FAILURES = 5
"""In a row, before it opens."""

_LONGEST_PAUSE = 2.0
_LONGEST_ASKED_FOR = 30.0
"""Seconds that a `Retry-After` can keep everybody waiting."""

T = TypeVar("T")


class Breaker:
    """Of one server in one event loop. Nothing is lost by it: who waits here goes on once somebody has come through.

    Written out, because libraries refuse calls while they are open, and here calls wait.
    """

    def __init__(self, look: Callable[[], Awaitable[object]]) -> None:
        """`look` raises Transient while the server is away; it is cheap, and asked before anything dear is."""
        self.last: str | None = None
        """What went wrong last, since the server did its work."""
        self._look = look
        self._failures = 0
        self._not_before = 0.0
        self._turn = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether all but one wait."""
        return self._failures >= MOST_FAILURES

    def half_open(self) -> None:
        """Let the next ones through; the first failure opens it again."""
        self._failures = min(self._failures, MOST_FAILURES - 1)

    async def attempt(self, work: Callable[[], Awaitable[T]], *, proves: bool) -> T:
        """Make one attempt, or wait for one's turn to make it. Raises what the attempt does, and Transient.

        `proves` says whether its success shows that the server does its work again, and so closes the breaker.
        """
        if self.is_open:
            async with self._turn:
                if self.is_open:
                    await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())
                    await self._observed(self._look, proves=False)
                    return await self._observed(work, proves)
        return await self._observed(work, proves)

    async def _observed(self, work: Callable[[], Awaitable[T]], proves: bool) -> T:
        try:
            result = await work()
        except Transient as error:
            self.last = str(error)
            self._failures += 1
            pause = random.uniform(0, _LONGEST_PAUSE)
            now = asyncio.get_running_loop().time()
            self._not_before = now + max(pause, min(error.retry_after, _LONGEST_ASKED_FOR))
            raise
        if proves:
            self.last, self._failures = None, 0
        return result
