"""What must not become slow unseen, as ratios to a peer in the same run; the bounds are far from what is measured."""

import random
from collections.abc import Callable
from time import perf_counter

import orjson

from benchmarks.http.calls import SIZES, bodies
from benchmarks.scoring_core import LONG_NAMES, make_batch, ours, peer
from reward_server.service.stock_body import StockBodies

ROUNDS = 15


def ratio(slow: Callable[[], object], quick: Callable[[], object]) -> float:
    """How many times as long one takes as the other: the best rounds of each, which take turns."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for place, run in enumerate((slow, quick)):
            began = perf_counter()
            run()
            best[place] = min(best[place], perf_counter() - began)
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
