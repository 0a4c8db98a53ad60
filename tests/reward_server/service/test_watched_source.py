"""The watch over a certainty source goes on whatever the source does."""

import asyncio
from collections.abc import Sequence
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from reward_server.certainty.source import Certainty, CertaintySource, Kind, RationaleRequest, SourceError
from reward_server.service import certainty
from reward_server.service.certainty import WatchedSource
from reward_server.service.certainty_metrics import CertaintyMetrics


class Buggy(CertaintySource):
    """Fails by a bug of its own at first, and is well then."""

    name = "buggy"
    kinds = frozenset(get_args(Kind))

    def __init__(self) -> None:
        self.checks = 0

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        raise NotImplementedError

    async def check(self) -> None:
        self.checks += 1
        if self.checks < 3:
            raise KeyError("a bug")


def test_a_bug_in_a_check_is_a_failure_and_not_the_end_of_checking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certainty, "_PERIOD", 0.01)

    async def scene() -> SourceError | None:
        source = WatchedSource(Buggy(), CertaintyMetrics(CollectorRegistry()), patience=60)
        watching = asyncio.create_task(source.watch())
        await source.checked.wait()
        problem = source.problem
        async with asyncio.timeout(10):
            while source.problem is not None:
                await asyncio.sleep(0.01)
        watching.cancel()
        return problem

    assert "the check of buggy failed: KeyError 'a bug'" in str(asyncio.run(scene()))
