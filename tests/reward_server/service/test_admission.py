"""Whose turn it is: what fits is let in at once, the rest in the order it came, and too much is refused unread."""

import asyncio
from collections.abc import Iterator
from http.client import HTTPConnection
from threading import Thread

import pytest

from reward_server.service.admission import Admission
from reward_server.service.problems import Problem
from tests.reward_server.service.support import (
    PLAIN,
    assert_refused,
    assert_still_scores,
    batch,
    eventually,
    half_sent,
    rollout,
    sample,
    status_before_the_body,
)
from tests.servers import Server, running_server

MOST = 100_000


class Turns:
    """An admission of 10 bytes, and requests that hold what they were let in with until told to go."""

    def __init__(self, most: int = 10) -> None:
        self.admission = Admission(most)
        self.let_in: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, size: int, patience: float = 60) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, size, patience))
        await self.settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await self.settle()

    async def leave(self, name: str) -> None:
        self.tasks[name].cancel()
        await asyncio.gather(self.tasks[name], return_exceptions=True)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def held_and_waiting(self) -> tuple[int, int]:
        return self.admission.held, self.admission.waiting

    async def _hold(self, name: str, size: int, patience: float) -> None:
        if not self.admission.enter(size):
            await self.admission.wait(size, patience)
        try:
            self.let_in.append(name)
            await self.ends[name].wait()
        finally:
            self.admission.leave(size)


def test_what_fits_is_let_in_at_once_and_the_rest_in_the_order_it_came() -> None:
    async def story() -> None:
        turns = Turns()
        for name, size in (("a", 6), ("b", 4), ("c", 9), ("d", 1)):
            await turns.ask(name, size)
        assert turns.let_in == ["a", "b"]
        assert turns.held_and_waiting == (10, 2)
        await turns.end("b")
        assert turns.let_in == ["a", "b"], "c is too big for what b leaves, and d came after c"
        await turns.end("a")
        assert turns.let_in == ["a", "b", "c", "d"]
        assert turns.held_and_waiting == (10, 0)
        await turns.end("c")
        await turns.end("d")
        assert turns.held_and_waiting == (0, 0)

    asyncio.run(story())


def test_who_leaves_the_queue_lets_pass_who_is_behind() -> None:
    async def story() -> None:
        turns = Turns(20)
        for name, size in (("a", 12), ("big", 11), ("b", 8)):
            await turns.ask(name, size)
        await turns.leave("big")
        assert turns.let_in == ["a", "b"]
        await turns.leave("a")
        await turns.leave("b")
        assert turns.held_and_waiting == (0, 0)

    asyncio.run(story())


def test_who_is_let_in_and_leaves_in_the_same_moment_gives_back_its_room() -> None:
    async def story() -> None:
        turns = Turns()
        await turns.ask("a", 10)
        await turns.ask("b", 10)
        turns.ends["a"].set()
        await turns.tasks["a"]
        turns.tasks["b"].cancel()
        await asyncio.gather(turns.tasks["b"], return_exceptions=True)
        await turns.ask("c", 10)
        assert "c" in turns.let_in
        await turns.end("c")
        assert turns.held_and_waiting == (0, 0)

    asyncio.run(story())


def test_patience_has_an_end() -> None:
    async def story() -> None:
        turns = Turns()
        await turns.ask("a", 10)
        await turns.ask("b", 1, patience=0.01)
        with pytest.raises(Problem, match="no turn within"):
            await turns.tasks["b"]
        assert turns.held_and_waiting == (10, 0)
        await turns.end("a")

    asyncio.run(story())


def test_more_than_can_wait_is_refused_at_once() -> None:
    async def story() -> None:
        turns = Turns()
        for name, size in (("a", 10), ("b", 6), ("c", 4)):
            await turns.ask(name, size)
        await turns.ask("d", 1)
        with pytest.raises(Problem, match="2 requests wait already") as refused:
            await turns.tasks["d"]
        assert refused.value.headers["Retry-After"] == "1"
        for name in "abc":
            await turns.end(name)
        assert turns.let_in == ["a", "b", "c"]

    asyncio.run(story())


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    """A server that holds 100,000 bytes of bodies."""
    limits = {"REWARD_MAX_BODY_BYTES": str(MOST), "REWARD_MAX_INFLIGHT_BYTES": str(MOST)}
    with running_server(*PLAIN, **limits) as running:
        yield running


def test_a_request_waits_its_turn_and_is_answered(narrow: Server) -> None:
    answers: list[int] = []
    with half_sent(narrow, b" " * MOST) as finish:
        asking = Thread(target=lambda: answers.append(narrow.post(json=batch(rollout())).status_code))
        asking.start()
        eventually(lambda: sample(narrow, "shop_r1_http_requests_waiting") == 1)
        assert sample(narrow, "shop_r1_http_request_bytes_held") == MOST
        assert narrow.get("/healthz").status_code == 200
        assert not answers
        assert finish().status == 422
        asking.join(timeout=60)
    assert answers == [200]
    eventually(lambda: sample(narrow, "shop_r1_http_request_bytes_held") == 0)


def test_a_client_that_leaves_while_its_body_is_read_gives_back_its_room(narrow: Server) -> None:
    with half_sent(narrow, b" " * MOST):
        pass
    eventually(lambda: sample(narrow, "shop_r1_http_request_bytes_held") == 0)
    assert_still_scores(narrow)


def test_past_the_bound_a_request_is_refused_before_its_body_is_read(narrow: Server) -> None:
    with half_sent(narrow, b" " * MOST), half_sent(narrow, b" " * MOST):
        assert status_before_the_body(narrow, Content_Length=str(MOST)) == 503
        refused = assert_refused(narrow.post(content=b" " * MOST), 503, "server-busy", "")
        assert "REWARD_MAX_INFLIGHT_BYTES" in refused["detail"]
    eventually(lambda: sample(narrow, "shop_r1_http_requests_waiting") == 0)
    assert_still_scores(narrow)


def test_a_turn_that_does_not_come_within_the_patience_is_a_503_with_retry_after() -> None:
    limits = {"REWARD_MAX_BODY_BYTES": str(MOST), "REWARD_MAX_INFLIGHT_BYTES": str(MOST), "REWARD_PATIENCE": "0.2"}
    with running_server(*PLAIN, **limits) as impatient, half_sent(impatient, b" " * MOST):
        response = impatient.post(json=batch(rollout()))
        assert "REWARD_PATIENCE" in assert_refused(response, 503, "server-busy", "")["detail"]
        assert response.headers["retry-after"] == "1"


def test_a_body_without_its_length_counts_as_the_longest(narrow: Server) -> None:
    connection = HTTPConnection(narrow.url.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/score")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(b"1\r\n{\r\n")
    eventually(lambda: sample(narrow, "shop_r1_http_request_bytes_held") == MOST)
    connection.close()
    eventually(lambda: sample(narrow, "shop_r1_http_request_bytes_held") == 0)
