"""Whose turn it is: requests are let in, in the order they came, while the bytes that they bring can be held."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from prometheus_client import Gauge

from reward_server.service.problems import Problem

_MOST_BUFFERED = 320 * 2**10
"""Bytes of its body that a connection may hold while it waits: one read of uvloop's, and what uvicorn keeps."""


class Admission:
    """Holds `most` bytes of bodies at once, and as many again in the buffers of requests that wait their turn."""

    def __init__(self, most: int, held: Gauge, waiting: Gauge) -> None:
        """`held` and `waiting` tell how many bytes have been let in, and how many requests have not."""
        self._most = most
        self._free = most
        self._buffered = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._held = held
        self._waiting = waiting

    @asynccontextmanager
    async def turn(self, size: int, patience: float) -> AsyncIterator[None]:
        """Wait for room for `size` bytes, and hold it during the block; nothing of the body need be read before.

        Raises a 503 Problem at once when too many wait already, and after `patience` seconds of waiting.
        """
        try:
            async with asyncio.timeout(patience):
                await self._enter(size)
        except TimeoutError:
            raise _busy(f"no turn within {patience:g} s (REWARD_PATIENCE)") from None
        self._held.inc(size)
        try:
            yield
        finally:
            self._held.dec(size)
            self._free += size
            self._wake()

    async def _enter(self, size: int) -> None:
        if not self._queue and size <= self._free:
            self._free -= size
            return
        buffered = min(size, _MOST_BUFFERED)
        if self._buffered + buffered > self._most:
            raise _busy(f"{len(self._queue):,} requests wait already (REWARD_MAX_INFLIGHT_BYTES)")
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        self._buffered += buffered
        self._waiting.inc()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._free += size
            self._wake()
            raise
        finally:
            self._waiting.dec()
            self._buffered -= buffered

    def _wake(self) -> None:
        """Let in who is next, for as long as there is room."""
        while self._queue:
            size, turn = self._queue[0]
            if not turn.done():
                if size > self._free:
                    return
                self._free -= size
                turn.set_result(None)
            self._queue.popleft()


def _busy(why: str) -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "server-busy",
        [("", f"{why}; send the request again, or run more servers")],
        headers={"Retry-After": "1"},
    )
