"""Lets many measure at once, or one change the weights, never both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """A lock that many readers or one writer hold; a writer that waits goes before readers that come later."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._readers = 0
        self._writers = 0
        self._writing = False

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Hold the gate together with other readers."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._writers)
            self._readers += 1
        try:
            yield
        finally:
            async with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Hold the gate alone."""
        async with self._changed:
            self._writers += 1
            try:
                await self._changed.wait_for(lambda: not self._readers and not self._writing)
            except BaseException:
                self._writers -= 1
                self._changed.notify_all()
                raise
            self._writing = True
        try:
            yield
        finally:
            async with self._changed:
                self._writers -= 1
                self._writing = False
                self._changed.notify_all()
