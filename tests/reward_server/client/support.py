"""What the tests of the client share: rollouts whose reward is known, and a client in an event loop of its own."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from reward_server import wire
from reward_server.client import ClientOptions, RewardClient, RewardError
from tests.reward_server.service.support import CLICK, TERMINATE, said

LONG = 3_600.0
"""Patience that no test waits for."""


def right(number: int = 0) -> wire.Rollout:
    """Earns 0.5 for its form and 0.3 for its type."""
    return wire.Rollout(completion=said(TERMINATE), label=TERMINATE, id=f"step1/{number}")


def wrong(number: int = 0) -> wire.Rollout:
    """Earns 0.5 for its form alone."""
    return wire.Rollout(completion=said(TERMINATE), label=CLICK, id=f"step1/{number}")


RIGHT, WRONG = 0.8, 0.5


def with_client(url: str | Sequence[str], work: Any, **more: Any) -> Any:
    """What `work(client)` comes to in an event loop of its own."""

    async def run() -> Any:
        async with RewardClient(ClientOptions(url, **({"patience": LONG} | more))) as client:
            return await work(client)

    return asyncio.run(run())


def score(url: str | Sequence[str], *rollouts: wire.Rollout, **more: Any) -> wire.ScoreResponse:
    answer: wire.ScoreResponse = with_client(url, lambda client: client.score(rollouts), **more)
    return answer


def failure(url: str | Sequence[str], *rollouts: wire.Rollout, **more: Any) -> RewardError:
    with pytest.raises(RewardError) as caught:
        score(url, *(rollouts or (right(),)), **more)
    return caught.value


def rewards(answers: Sequence[wire.ScoreResponse]) -> list[float]:
    """Those of several batches, one after the other."""
    return [reward for answer in answers for reward in answer.rewards]
