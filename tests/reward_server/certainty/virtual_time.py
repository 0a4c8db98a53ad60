"""An event loop whose clock jumps to what is next: hours pass at once, and no slow machine changes what happens."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Jumping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(scene: Coroutine[Any, Any, T]) -> T:
    """What comes of a scene that uses no sockets and no threads."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(scene)
