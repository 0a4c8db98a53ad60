"""Stock OpenRLHF's calls, hundreds at once: each gets its own answer, whatever came beside it."""

import asyncio
import json
from collections.abc import Iterator, Sequence

import httpx
import pytest
from fastapi import Response

from reward_server.reward.spec import load_preset
from reward_server.scoring import Rollout, Scored, Scorer
from reward_server.service.admission import Admission
from reward_server.service.metrics import Metrics
from reward_server.service.stock_body import StockBodies
from reward_server.service.together import Together
from reward_server.settings import Settings
from tests.reward_server.service.support import PLAIN, eventually, sample
from tests.servers import Server, running_server

CLICK = {"type": "click", "name": "buy"}
PAGE = "a page that all have\n"


def stock(completion: str, label: object = CLICK, page: str = PAGE) -> bytes:
    return json.dumps({"query": [page + completion], "prompts": [page], "labels": [label]}).encode()


def completion(name: str) -> str:
    return json.dumps({"rationale": "", "action": {"type": "click", "name": name}})


def ask_at_once(server: Server, bodies: Sequence[bytes], path: str = "/score") -> list[httpx.Response]:
    """Over a connection each, all of which are open before the first body is sent."""

    async def story() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=server.url, timeout=60, limits=httpx.Limits(max_connections=None)
        ) as client:
            await asyncio.gather(*(client.get("/healthz") for _ in bodies))
            return await asyncio.gather(*(client.post(path, content=body) for body in bodies))

    return asyncio.run(story())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(*PLAIN, "--max-depth", "8", "--max-field-chars", "1000") as running:
        yield running


KINDS = {
    "right": (stock(completion("buy")), 200),
    "wrong": (stock(completion("sell")), 200),
    "not JSON": (stock("hello"), 200),
    "bad label": (stock(completion("buy"), {"type": "fly"}), 422),
    "deep label": (stock(completion("buy"), {**CLICK, "x": [[[[[[[1]]]]]]]}), 422),
    "long": (stock(completion("buy"), page=PAGE * 60), 422),
    "two": (json.dumps({"query": [PAGE] * 2, "prompts": [PAGE] * 2, "labels": [CLICK]}).encode(), 422),
    "cut": (stock(completion("buy"))[:-2], 422),
}


def test_each_gets_what_it_would_get_alone(server: Server) -> None:
    alone = {kind: ask_at_once(server, [body])[0] for kind, (body, _) in KINDS.items()}
    assert {kind: answer.status_code for kind, answer in alone.items()} == {
        kind: status for kind, (_, status) in KINDS.items()
    }
    assert [alone[kind].json()["rewards"] for kind in ("right", "wrong", "not JSON")] == [[1001.0], [1.0], [0.0]]
    kinds = list(KINDS) * 15
    for kind, answer in zip(kinds, ask_at_once(server, [KINDS[kind][0] for kind in kinds]), strict=True):
        assert (answer.status_code, answer.content) == (alone[kind].status_code, alone[kind].content)
        assert answer.headers["etag"] == alone[kind].headers["etag"]


def test_those_of_other_specs_are_kept_apart(server: Server) -> None:
    async def story() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            paths = ("/score", "/get_reward?spec=binary") * 20
            return await asyncio.gather(*(client.post(path, content=KINDS["right"][0]) for path in paths))

    answers = asyncio.run(story())
    assert [answer.json()["rewards"] for answer in answers] == [[1001.0], [1.0]] * 20


def test_each_is_counted_once_and_for_its_own_run(server: Server) -> None:
    counted = ("shop_r1_rollouts_total", "shop_r1_batches_total")
    labels = {"spec": "shop-r1-no-rationale", "reason": "valid"}
    before = sample(server, counted[0], **labels), sample(server, counted[1], dialect="openrlhf")
    ask_at_once(server, [KINDS["right"][0]] * 40, "/score?run=together")
    assert sample(server, counted[0], **labels) == before[0] + 40
    assert sample(server, counted[1], dialect="openrlhf") == before[1] + 40
    digest = server.get("/version").json()["spec"]["digest"]
    assert sample(server, "shop_r1_run_rollouts_total", run="together", spec=labels["spec"], digest=digest) == 40


def test_who_has_left_takes_nothing_from_the_others(server: Server) -> None:
    async def leave() -> None:
        connection = httpx.URL(server.url)
        for _ in range(20):
            _, writer = await asyncio.open_connection(connection.host, connection.port)
            body = KINDS["right"][0]
            writer.write(b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            writer.transport.abort()

    asyncio.run(leave())
    assert [answer.json()["rewards"] for answer in ask_at_once(server, [KINDS["right"][0]] * 20)] == [[1001.0]] * 20
    eventually(lambda: sample(server, "shop_r1_http_requests_in_flight") == 1)


def test_those_that_arrive_together_are_scored_together_and_others_get_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    score_at_once = Scorer.score_at_once
    turns = []

    def noted(self: Scorer, rollouts: Sequence[Rollout]) -> list[Scored]:
        turns.append(len(rollouts))
        return score_at_once(self, rollouts)

    async def story() -> list[Response | None]:
        together = Together(Settings(), Metrics(), StockBodies(2**20), Admission(2**20))
        scorer = Scorer(load_preset("shop-r1-no-rationale"), None)
        return await asyncio.gather(*(together.answer(KINDS["right"][0], scorer, "") for _ in range(40)))

    monkeypatch.setattr(Scorer, "score_at_once", noted)
    assert all(answer is not None for answer in asyncio.run(story()))
    assert turns == [32, 8]


def test_a_call_that_fails_by_a_bug_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    score_at_once = Scorer.score_at_once

    def buggy(self: Scorer, rollouts: Sequence[Rollout]) -> list[Scored]:
        if any(rollout.completion == "hello" for rollout in rollouts):
            raise ZeroDivisionError
        return score_at_once(self, rollouts)

    async def story() -> list[Response | BaseException | None]:
        together = Together(Settings(), Metrics(), StockBodies(2**20), Admission(2**20))
        scorer = Scorer(load_preset("shop-r1-no-rationale"), None)
        bodies = (KINDS["right"][0], KINDS["not JSON"][0], KINDS["wrong"][0])
        return await asyncio.gather(*(together.answer(body, scorer, "") for body in bodies), return_exceptions=True)

    monkeypatch.setattr(Scorer, "score_at_once", buggy)
    right, failed, wrong = asyncio.run(story())
    assert isinstance(failed, ZeroDivisionError)
    assert isinstance(right, Response)
    assert isinstance(wrong, Response)
    assert [json.loads(answer.body)["rewards"] for answer in (right, wrong)] == [[1001.0], [1.0]]
