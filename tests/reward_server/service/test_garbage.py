"""How often Python looks for garbage."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from reward_server.service.garbage import Tidy, look_less


class Ring:
    """Knows itself, so that counting references does not free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    gc.enable()


@pytest.mark.parametrize("fails", [False, True])
def test_after_a_large_batch_its_garbage_is_gone_and_not_before(fails: bool) -> None:
    seen: list[weakref.ref[Ring]] = []
    alive = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(weakref.ref(Ring()) for _ in range(10 * gc.get_threshold()[0]))
        alive.extend(ring() is not None for ring in seen)
        if fails:
            raise ZeroDivisionError

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        pass

    async def story() -> None:
        try:
            await tidy({"type": "http"}, receive, send)
        except ZeroDivisionError:
            assert fails

    tidy = Tidy(app)
    asyncio.run(story())
    assert all(alive)
    assert not any(ring() is not None for ring in seen)


def test_a_server_looks_on_for_garbage_but_not_in_what_it_started_with() -> None:
    kept = Ring()
    look_less()
    assert gc.get_freeze_count() > 0
    assert all(kept is not each for each in gc.get_objects())
    first = weakref.ref(Ring())
    rings = [Ring() for _ in range(gc.get_threshold()[0])]
    assert first() is None
    assert len(rings) > 700
