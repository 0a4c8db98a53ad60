"""Whose turn it is: requests are let in, in the order they came, while the bytes that they bring can be held."""

import asyncio
from collections import deque
from http import HTTPStatus

from reward_server.service.problems import Problem

_MOST_BUFFERED = 320 * 2**10
"""Bytes of its body that a connection may hold while it waits: one read of uvloop's, and what uvicorn keeps."""


class Admission:
    """Holds `most` bytes of bodies at once, and as many again in the buffers of requests that wait their turn."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = most
        self._buffered = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.inside = 0
        """Requests that have been let in."""
        self.waiting = 0
        """Requests that have not been let in."""

    @property
    def held(self) -> int:
        """Bytes that have been let in."""
        return self._most - self._free

    def enter(self, size: int) -> bool:
        """Let in at once a request that there is room for, and that nobody waits before; whether it is in."""
        if self._queue or size > self._free:
            return False
        self._free -= size
        self.inside += 1
        return True

    async def wait(self, size: int, patience: float) -> None:
        """Wait for room for `size` bytes; nothing of the body need be read before.

        Raises a 503 Problem at once when too many wait already, and after `patience` seconds of waiting.
        """
        try:
            async with asyncio.timeout(patience):
                await self._wait(size)
        except TimeoutError:
            raise _busy(f"no turn within {patience:g} s (REWARD_PATIENCE)") from None
        self.inside += 1

    def leave(self, size: int) -> None:
        """Free the room of a request that was let in, and let in who is next."""
        self._free += size
        self.inside -= 1
        self._wake()

    async def _wait(self, size: int) -> None:
        buffered = min(size, _MOST_BUFFERED)
        if self._buffered + buffered > self._most:
            raise _busy(f"{len(self._queue):,} requests wait already (REWARD_MAX_INFLIGHT_BYTES)")
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        self._buffered += buffered
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._free += size
            self._wake()
            raise
        finally:
            self.waiting -= 1
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
