"""A server with `POST /score` and every fault it can have, on a real socket. A test scripts which fault, and when."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from reward_server import wire
from reward_server.reward.spec import load_preset
from reward_server.scoring import Scorer
from reward_server.service import native
from tests.reward_server.certainty.faulty_vllm import Act, Exchange, FaultyVllm

SCORE, READY = "POST /score", "GET /readyz"


class FaultyServer(FaultyVllm):
    """Answers as the reward server does under shop-r1-no-rationale where nothing else is scripted."""

    def __init__(self) -> None:
        self.connections: set[object] = set()
        super().__init__()

    def act(self, exchange: Exchange) -> None:
        exchange.route = exchange.route.partition("?")[0]
        self.connections.add(exchange.handler.client_address)
        super().act(exchange)

    def good_answer(self, exchange: Exchange) -> bytes:
        if exchange.route == READY:
            return b'{"status": "ready"}'
        scorer = Scorer(load_preset("shop-r1-no-rationale"), None)
        rollouts = wire.ScoreRequest.model_validate(exchange.message).rollouts
        scored = asyncio.run(scorer.score(rollouts))
        return json.dumps(native.reply(rollouts, scored, scorer.spec)).encode()


def changed(change: Callable[[Any], None]) -> Act:
    """Answer well, but for what `change` does to the message."""

    def act(exchange: Exchange) -> None:
        message = json.loads(exchange.vllm.good_answer(exchange))
        change(message)
        exchange.answer(200, json.dumps(message).encode())

    return act


@contextmanager
def running_faulty_server() -> Iterator[FaultyServer]:
    """A server that is well until a test scripts something else."""
    server = FaultyServer()
    try:
        yield server
    finally:
        server.stop()
