"""How long one request may take: a server that is busy is told from one that hangs by what else it answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from reward_server.patience import Transient

T = TypeVar("T")


class Hung(Transient):
    """A request that was given up."""


class Deadlines:
    """Of requests to one server that takes them in the order in which they come, more or less."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Timeout, tuple[float, float]] = {}
        """When each was sent, and how many seconds it has."""

    async def keep(self, work: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Send one request. Raises Hung when it was given up.

        That is after so many seconds in which neither it was answered nor any that was sent before it, or less than as
        long after it.
        """
        loop = asyncio.get_running_loop()
        sent = loop.time()
        try:
            async with asyncio.timeout(seconds) as timeout:
                self._running[timeout] = sent, seconds
                try:
                    answer = await work()
                finally:
                    del self._running[timeout]
        except TimeoutError:
            raise Hung(f"a request was not answered within {seconds:g} s") from None
        for other, (before, allowed) in self._running.items():
            # One that was long overtaken has been lost, however many others are answered.
            if sent < before + allowed and not other.expired():
                other.reschedule(loop.time() + allowed)
        return answer
