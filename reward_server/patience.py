"""Patience with a server that is slow or away: tries again until the time for it is over."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

T = TypeVar("T")


class Transient(Exception):
    """What may be over in a while."""

    def __init__(self, reason: str, retry_after: float = 0) -> None:
        """`retry_after` is in seconds."""
        super().__init__(reason)
        self.retry_after = retry_after


class Patience:
    """Waits for one batch, and remembers what for."""

    def __init__(self) -> None:
        self.last: str | None = None

    async def insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat an attempt for as long as it raises Transient, after pauses that grow, on top of what it asks for.

        Written out, because only the pauses would be left to a library: what ends it is the time its block is allowed.
        """
        failures = 0
        while True:
            try:
                return await attempt()
            except Transient as error:
                self.last = str(error)
                await asyncio.sleep(error.retry_after + full_jitter(failures, _FIRST_PAUSE, _LONGEST_PAUSE))
                failures += 1


def full_jitter(failures: int, first: float, longest: float) -> float:
    """Seconds to wait after so many failures before this one: any below a ceiling that doubles from `first` on.

    Those who failed together do not come back together.
    """
    return random.uniform(0, min(first * 2 ** min(failures, 30), longest))
