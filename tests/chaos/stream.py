"""A trainer that keeps asking: groups of 8 by our own client, any number at once, every reward compared."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from time import monotonic

import pytest

from reward_server.client import ClientOptions, RewardClient, RewardError
from reward_server.http_sessions import Reply, Sessions
from tests.chaos.loads import count_wrong
from tests.chaos.outcome import Outcome
from tests.chaos.rollouts import Expected, groups

PATIENCE = 120.0
"""Seconds that the client allows each batch."""


class Stream:
    """Batches posted over and over until the block ends."""

    def __init__(
        self, outcome: Outcome, url: str | Sequence[str], expected: Sequence[Expected], **options: str
    ) -> None:
        self.outcome = outcome
        self.scored = 0
        """Batches that have their rewards."""
        self._client = RewardClient(ClientOptions(url, patience=PATIENCE, **options))
        self._batches = cycle(groups(expected))
        self._is_over = False
        self._last = monotonic()

    async def more(self, batches: int) -> None:
        """Wait until so many more have their rewards."""
        goal = self.scored + batches
        while self.scored < goal:
            await asyncio.sleep(0.01)

    async def _ask(self) -> None:
        while not self._is_over:
            batch = next(self._batches)
            self.outcome.asked += len(batch)
            try:
                answer = await self._client.score([item.rollout for item in batch])
            except RewardError as error:
                self.outcome.lost += len(batch)
                self.outcome.notes[:] = [repr(error)[:200]]
                continue
            self.outcome.wrong += count_wrong(answer.rewards, batch)
            self.outcome.longest_silence = max(self.outcome.longest_silence, monotonic() - self._last)
            self._last = monotonic()
            self.scored += 1

    @asynccontextmanager
    async def running(self, in_flight: int) -> AsyncIterator[None]:
        """Post while the block runs, and wait for the last answers after it."""
        really_ask = Sessions.ask

        async def ask(sessions: Sessions, method: str, *more: object) -> Reply:
            self.outcome.tries += method == "POST"
            return await really_ask(sessions, method, *more)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Sessions, "ask", ask)
            asking = [asyncio.create_task(self._ask()) for _ in range(in_flight)]
            try:
                yield
            finally:
                self._is_over = True
                await asyncio.gather(*asking)
                await self._client.close()
