"""Awaiting what is most often there already, without what it costs to be ready to wait."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

T = TypeVar("T")


async def within(limit: Callable[[], AbstractAsyncContextManager[Any]], work: Awaitable[T]) -> T:
    """What the work comes to; where it has to wait for that, inside of `limit`, such as `asyncio.timeout`.

    A timeout takes several times what reading a small body does.
    """
    steps = work.__await__()
    try:
        waits_for = next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    async with limit():
        return await _Rest(steps, waits_for)


class _Rest(Awaitable[T]):
    """What is left of work that has begun, and waits."""

    def __init__(self, steps: Generator[Any, Any, T], waits_for: Any) -> None:
        self._steps = steps
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, T]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except BaseException as error:
                    waits_for = self._steps.throw(error)
                else:
                    waits_for = self._steps.send(sent)
        except StopIteration as end:
            result: T = end.value
            return result
