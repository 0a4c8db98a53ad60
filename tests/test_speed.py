"""What must not become slow unseen, as ratios to a peer in the same run; the bounds are far from what is measured."""

import asyncio
import random
from collections.abc import Callable, Sequence
from time import perf_counter, process_time

import orjson
import pytest
from starlette.types import ASGIApp, Message

from benchmarks.http.apps import route
from benchmarks.http.calls import SIZES, bodies
from benchmarks.scoring_core import LONG_NAMES, make_batch, ours, peer
from reward_server.service.app import create_app
from reward_server.service.state import create_state, read_specs
from reward_server.service.stock_body import StockBodies
from reward_server.settings import Settings

ROUNDS = 15


def ratio(slow: Callable[[], object], quick: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    """How many times as long one takes as the other: the best rounds of each, which take turns."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for place, run in enumerate((slow, quick)):
            began = clock()
            run()
            best[place] = min(best[place], clock() - began)
    return best[0] / best[1]


def test_the_core_is_faster_than_the_same_reward_with_json_and_rouge_score() -> None:
    batch = make_batch(random.Random(1), LONG_NAMES, 1.0)
    assert [round(reward, 9) for reward in ours(batch)] == [round(reward, 9) for reward in peer(batch)]
    assert ratio(lambda: peer(batch), lambda: ours(batch)) > 2  # measured: 5


def test_a_page_that_came_before_is_compared_and_not_decoded() -> None:
    asked = bodies(*SIZES["212 KB"])
    stock = StockBodies(64 * 2**20)
    assert all(stock.read(body) for body in asked)
    slow, quick = (lambda: [orjson.loads(body) for body in asked]), (lambda: [stock.read(body) for body in asked])
    assert ratio(slow, quick) > 3  # measured: 12


@pytest.mark.parametrize(("size", "least"), [("0.9 KB", 1.3), ("212 KB", 2)])  # measured: 2.3 and 4.8
def test_calls_at_once_take_less_than_a_fastapi_route_with_orjson(size: str, least: float) -> None:
    asked = bodies(*SIZES[size])
    settings = Settings(spec="shop-r1-no-rationale", certainty="none")
    app = create_app(create_state(settings, read_specs(settings)))
    with asyncio.Runner() as runner:
        answers, peers = (runner.run(answers_at_once(each, asked)) for each in (app, route))
        rewards = [[orjson.loads(answer)["rewards"][0] for answer in each] for each in (answers, peers)]
        assert rewards[0] == pytest.approx(rewards[1])
        slow, quick = (
            (lambda: runner.run(answers_at_once(route, asked))),
            lambda: runner.run(answers_at_once(app, asked)),
        )
        # A call waits some milliseconds for others, which the processor does not.
        assert ratio(slow, quick, process_time) > least


async def answers_at_once(app: ASGIApp, asked: Sequence[bytes]) -> list[bytes]:
    """The bodies of an application's answers, without a socket."""
    return await asyncio.gather(*(_answer(app, body) for body in asked))


async def _answer(app: ASGIApp, body: bytes) -> bytes:
    headers = [(b"host", b"a"), (b"content-length", b"%d" % len(body))]
    scope = {"type": "http", "method": "POST", "path": "/score", "query_string": b"", "headers": headers}
    answer: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        answer.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(answer)
