"""Training runs as a server sees them: groups of rollouts, one call a rollout, until they are told to stop."""

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from time import monotonic
from typing import NamedTuple

import orjson

from reward_server import wire
from reward_server.client import ClientOptions, RewardClient
from tests.e2e.plain_http import PlainClient


class Answer(NamedTuple):
    """A reward, and the digest of the spec that gave it."""

    digest: str
    reward: float


Ask = Callable[[wire.Rollout], Awaitable[Answer]]


class Scored(NamedTuple):
    """A rollout that a run has a reward for."""

    rollout: str
    answer: Answer


class Requests:
    """So many requests for all runs together, never more in a while than if they were spread over so many seconds."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count = count
        self.taken = 0
        self._pause = seconds / count
        self._due = monotonic()

    async def take(self, wanted: int) -> bool:
        """Wait until as many may be sent; false when there are not as many left."""
        if self.taken + wanted > self.count:
            return False
        self.taken += wanted
        # Time that was lost is not made up for.
        due = max(self._due, monotonic())
        self._due = due + wanted * self._pause
        await asyncio.sleep(due - monotonic())
        return True

    async def reach(self, share: float) -> None:
        """Wait until this share has been sent."""
        while self.taken < share * self.count:
            await asyncio.sleep(0.05)


@dataclass
class Run:
    """A training run, and the groups that it has rewards for."""

    ask: Ask
    groups: list[list[Scored]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    is_over: bool = False

    async def train(self, batches: Sequence[Sequence[wire.Rollout]], requests: Requests) -> None:
        """Post one group after the other, each rollout of it in a call of its own, all at once."""
        for batch in cycle(batches):
            if self.is_over or not await requests.take(len(batch)):
                return
            answers = await asyncio.gather(*map(self.ask, batch), return_exceptions=True)
            self.failures += [repr(answer) for answer in answers if isinstance(answer, BaseException)]
            self.groups.append(
                [
                    Scored(str(rollout.id), answer)
                    for rollout, answer in zip(batch, answers, strict=True)
                    if not isinstance(answer, BaseException)
                ]
            )

    @property
    def digests(self) -> Counter[frozenset[str]]:
        """How many groups were scored by each set of specs."""
        return Counter(frozenset(scored.answer.digest for scored in group) for group in self.groups)

    @property
    def calls(self) -> int:
        return sum(map(len, self.groups)) + len(self.failures)


def by_our_client(url: str, **options: str) -> Ask:
    """As our executor asks."""
    client = RewardClient(ClientOptions(url, **options))

    async def ask(rollout: wire.Rollout) -> Answer:
        answer = await client.score([rollout])
        return Answer(answer.spec.digest, answer.rewards[0])

    return ask


def by_header(address: str, key: str, version: str, digest: str, run: str) -> Ask:
    """As a trainer of one's own may: it names its version in a header, and keeps its connections."""
    headers = {"Authorization": f"Bearer {key}", "X-Reward-Version": version, "X-Run-Id": run}
    client = PlainClient(address, "/score", {**headers, "If-Match": f'"{digest}"'}, keeps=True)

    async def ask(rollout: wire.Rollout) -> Answer:
        message = {"rollouts": [rollout.model_dump(exclude_none=True)]}
        answer = orjson.loads((await client.post(json.dumps(message).encode())).body)
        return Answer(answer["spec"]["digest"], answer["rewards"][0])

    return ask


def by_stock_openrlhf(address: str, key: str, version: str, digest: str, run: str) -> Ask:
    """As stock OpenRLHF asks, which is given `http://RUN:KEY@ADDRESS/…`, and opens a new connection each time."""
    credentials = b64encode(f"{run}:{key}".encode()).decode()
    path = f"/versions/{version}/score?digest={digest}&run={run}"
    client = PlainClient(address, path, {"Authorization": f"Basic {credentials}"}, keeps=False)

    async def ask(rollout: wire.Rollout) -> Answer:
        prompt = rollout.prompt or ""
        message = {"query": [prompt + rollout.completion], "prompts": [prompt], "labels": [rollout.label]}
        answered = await client.post(json.dumps(message).encode())
        return Answer(answered.headers["etag"].strip('"'), orjson.loads(answered.body)["rewards"][0])

    return ask
