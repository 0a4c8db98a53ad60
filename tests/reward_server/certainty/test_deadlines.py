"""A request that hangs is given up; one that waits behind others is not."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from reward_server.certainty.deadlines import Deadlines, Hung
from tests.reward_server.certainty.virtual_time import run


async def given_up_after(request: Coroutine[Any, Any, object]) -> float | None:
    """Seconds; None for a request that is answered."""
    started = asyncio.get_running_loop().time()
    try:
        await request
    except Hung:
        return asyncio.get_running_loop().time() - started
    return None


def test_a_request_that_nothing_answers_is_given_up_when_its_time_is_over() -> None:
    assert run(given_up_after(Deadlines().keep(asyncio.Event().wait, 40))) == pytest.approx(40)


def test_answers_to_those_before_it_show_that_a_request_only_waits() -> None:
    """Twenty are answered, one in thirty seconds, and then it."""

    async def scene() -> float | None:
        deadlines = Deadlines()
        queue = [deadlines.keep(lambda place=place: asyncio.sleep(30 * place), 3_600) for place in range(1, 21)]
        last = deadlines.keep(lambda: asyncio.sleep(620), 40)
        *_, waited = await asyncio.gather(*queue, given_up_after(last))
        return waited

    assert run(scene()) is None


def test_once_nothing_is_answered_any_more_the_time_begins_to_count() -> None:
    async def scene() -> float | None:
        deadlines = Deadlines()
        answered = deadlines.keep(lambda: asyncio.sleep(30), 3_600)
        _, after = await asyncio.gather(answered, given_up_after(deadlines.keep(asyncio.Event().wait, 40)))
        return after

    assert run(scene()) == pytest.approx(70)


def test_a_request_that_has_long_been_overtaken_is_given_up_though_others_are_answered() -> None:
    async def scene() -> float | None:
        deadlines = Deadlines()
        lost = asyncio.create_task(given_up_after(deadlines.keep(asyncio.Event().wait, 40)))
        while not lost.done():
            await deadlines.keep(lambda: asyncio.sleep(1), 40)
        return await lost

    after = run(scene())
    assert after is not None
    assert 40 < after < 90


def test_what_the_request_raises_is_raised_and_vouches_for_nobody() -> None:
    async def fails() -> None:
        await asyncio.sleep(30)
        raise KeyError

    async def scene() -> float | None:
        deadlines = Deadlines()
        failing = asyncio.create_task(deadlines.keep(fails, 40))
        after = await given_up_after(deadlines.keep(asyncio.Event().wait, 40))
        with pytest.raises(KeyError):
            await failing
        return after

    assert run(scene()) == pytest.approx(40)
