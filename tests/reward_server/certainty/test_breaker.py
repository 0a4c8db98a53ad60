"""A server that is away is tried by one at a time, however many wait for it, and nobody who waits is lost."""

import asyncio
from collections.abc import Callable

import pytest

from reward_server.certainty.breaker import MOST_FAILURES, Breaker
from reward_server.certainty.source import SourceMismatch
from reward_server.patience import Patience, Transient
from tests.reward_server.certainty.virtual_time import run


class Source:
    """What is behind a breaker, and when it was asked what."""

    def __init__(self) -> None:
        self.is_there, self.measures, self.is_another = True, True, False
        self.looks: list[float] = []
        self.tries: list[float] = []
        self.at_once = self.most_at_once = 0
        self.retry_after = 0.0
        self.breaker = Breaker(self.look)

    async def look(self) -> None:
        self.looks.append(asyncio.get_running_loop().time())
        if self.is_another:
            raise SourceMismatch("another model")
        if not self.is_there:
            raise Transient("away")

    async def work(self) -> str:
        self.tries.append(asyncio.get_running_loop().time())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0.1)
        finally:
            self.at_once -= 1
        if not (self.is_there and self.measures):
            raise Transient("it fails", self.retry_after)
        return "done"

    async def insist(self) -> str:
        return await Patience().insist(lambda: self.breaker.attempt(self.work, proves=True))

    async def open(self) -> None:
        for _ in range(MOST_FAILURES):
            with pytest.raises(Transient):
                await self.breaker.attempt(self.work, proves=True)
        assert self.breaker.is_open
        self.tries.clear()
        self.most_at_once = 0


def away(source: Source) -> None:
    source.is_there = False


def failing(source: Source) -> None:
    source.measures = False


@pytest.mark.parametrize("fault", [away, failing])
def test_five_hundred_that_wait_ask_no_more_often_than_one_and_all_come_through(
    fault: Callable[[Source], None],
) -> None:
    async def scene() -> Source:
        source = Source()
        fault(source)
        waiting = [asyncio.create_task(source.insist()) for _ in range(512)]
        await asyncio.sleep(10)
        source.most_at_once = 0
        source.tries.clear()
        source.looks.clear()
        await asyncio.sleep(200)
        assert source.breaker.is_open
        assert source.most_at_once <= 1
        assert len(source.looks) < 400
        assert len(source.tries) <= len(source.looks)
        assert not (fault is away and source.tries)
        source.is_there = source.measures = True
        async with asyncio.timeout(10):
            assert set(await asyncio.gather(*waiting)) == {"done"}
        assert not source.breaker.is_open
        return source

    run(scene())


def test_failures_with_a_success_in_between_open_nothing() -> None:
    async def scene() -> None:
        source = Source()
        for _ in range(20):
            source.measures = False
            for _ in range(MOST_FAILURES - 1):
                with pytest.raises(Transient):
                    await source.breaker.attempt(source.work, proves=True)
            source.measures = True
            await source.breaker.attempt(source.work, proves=True)
        assert source.looks == []

    run(scene())


def test_that_the_server_is_there_does_not_show_that_it_measures() -> None:
    async def scene() -> None:
        source = Source()
        failing(source)
        await source.open()
        await source.breaker.attempt(source.look, proves=False)
        assert source.breaker.is_open

    run(scene())


def test_half_open_it_lets_everybody_try_and_opens_again_by_one_failure() -> None:
    async def scene() -> None:
        source = Source()
        failing(source)
        await source.open()
        source.breaker.half_open()
        assert not source.breaker.is_open
        with pytest.raises(Transient):
            await source.breaker.attempt(source.work, proves=True)
        assert source.breaker.is_open

    run(scene())


def test_who_leaves_in_the_middle_of_the_try_leaves_it_to_the_next() -> None:
    async def scene() -> str:
        source = Source()
        failing(source)
        await source.open()
        source.measures = True
        first, second = (asyncio.create_task(source.insist()) for _ in range(2))
        while not source.tries:
            await asyncio.sleep(0.01)
        first.cancel()
        return await second

    assert run(scene()) == "done"


def test_the_time_that_the_server_asks_for_is_everybodys_up_to_half_a_minute() -> None:
    async def scene() -> float:
        source = Source()
        failing(source)
        source.retry_after = 3_600
        await source.open()
        before = asyncio.get_running_loop().time()
        source.measures = True
        await source.insist()
        return source.tries[0] - before

    assert run(scene()) == pytest.approx(30)


def test_another_server_than_expected_is_told_at_once_to_all_who_wait() -> None:
    async def scene() -> list[object]:
        source = Source()
        away(source)
        await source.open()
        source.is_another = True
        return await asyncio.gather(*(source.insist() for _ in range(3)), return_exceptions=True)

    assert [type(error) for error in run(scene())] == [SourceMismatch] * 3
