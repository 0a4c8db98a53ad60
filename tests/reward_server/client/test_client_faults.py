"""The client and every fault a server can have: those that pass are waited for, the others told at once."""

import asyncio
import pickle
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from reward_server import wire
from reward_server.client import (
    BadAnswer,
    RewardClient,
    RewardError,
    RewardRefused,
    RewardUnavailable,
    ServerUntrusted,
    SpecMismatch,
)
from reward_server.client import client as client_module
from reward_server.reward.spec import load_preset
from tests.reward_server.certainty.faulty_vllm import (
    Act,
    Exchange,
    answering,
    half_a_message,
    half_an_answer,
    hang,
    hang_up,
    saying,
    status,
    well,
)
from tests.reward_server.client.faulty_server import SCORE, FaultyServer, changed, running_faulty_server
from tests.reward_server.client.support import RIGHT, WRONG, failure, rewards, right, score, with_client, wrong

DIGEST = load_preset("shop-r1-no-rationale").digest


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with running_faulty_server() as running:
        yield running


@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(502),
        status(503, Retry_After="0"),
        status(503, Retry_After="Sat, 21 Nov 2026 07:30:00 GMT"),
        status(599),
        status(408),
        status(429, Retry_After="-1"),
        hang_up,
        half_an_answer,
        half_a_message,
        saying(b""),
        saying(b"<html>Welcome!</html>"),
    ],
    ids=["500", "502", "503", "until a date", "599", "408", "429", "gone", "half answer", "half JSON", "empty", "page"],
)
def test_a_fault_that_passes_is_waited_for(server: FaultyServer, fault: Act) -> None:
    server.script(SCORE, fault, fault)
    assert score(server.url, right(), wrong()).rewards == [RIGHT, WRONG]
    assert server.count(SCORE) == 3


def test_what_is_waited_for_is_logged_once_in_a_while_and_without_a_key(
    server: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(SCORE, status(503, {"title": "Server busy", "detail": "not for hunter2"}), hang_up)
    assert score(server.url.replace("://", "://run:hunter2@"), right()).rewards == [RIGHT]
    (line,) = (record.getMessage() for record in caplog.records if record.name == "reward_server.client")
    assert f"{server.url}/score: Server busy (503): not for" in line
    assert "hunter2" not in line


def test_what_went_wrong_last_is_told_when_patience_ends(server: FaultyServer) -> None:
    problem = {"title": "Certainty mismatch", "detail": "vLLM has\x1b[2J another model"}
    server.always(SCORE, status(503, problem))
    error = failure(server.url.replace("://", "://run:hunter2@"), patience=0.5)
    assert type(error) is RewardUnavailable
    assert f"{server.url}/score gave no rewards within 0.5 s" in str(error)
    assert "Certainty mismatch (503): vLLM has [2J another model" in str(error)
    assert "hunter2" not in str(error)
    assert server.count(SCORE) > 1


def test_a_server_that_hangs_is_waited_for_until_patience_ends(server: FaultyServer) -> None:
    server.always(SCORE, hang)
    error = failure(server.url, patience=0.5)
    assert type(error) is RewardUnavailable
    assert "nothing answers" in str(error)


def test_a_server_that_falls_silent_is_asked_again_before_patience_ends(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_LEAST_SILENCE", 0.0)
    server.script(SCORE, hang)
    assert score(server.url, right(), patience=6).rewards == [RIGHT]
    assert server.count(SCORE) == 2


def test_a_server_is_not_asked_again_before_the_time_it_named(server: FaultyServer) -> None:
    server.always(SCORE, status(503, Retry_After="60"))
    assert type(failure(server.url, patience=1)) is RewardUnavailable
    assert server.count(SCORE) == 1


def test_no_more_requests_are_in_flight_than_allowed_and_all_get_their_turn(server: FaultyServer) -> None:
    go_on = Event()

    def when_told(exchange: Exchange) -> None:
        go_on.wait()
        well(exchange)

    server.always(SCORE, when_told)

    async def all_at_once(client: RewardClient) -> list[wire.ScoreResponse]:
        scoring = asyncio.gather(*(client.score([right(number)]) for number in range(50)))
        while server.count(SCORE) < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # for a fourth to come, which must not
        assert server.count(SCORE) == 3
        go_on.set()
        return await scoring

    assert rewards(with_client(server.url, all_at_once, connections=3)) == [RIGHT] * 50
    assert len(server.connections) == 3


def test_waiting_for_ones_turn_counts_towards_patience(server: FaultyServer) -> None:
    server.always(SCORE, hang)

    async def all_at_once(client: RewardClient) -> list[Any]:
        return await asyncio.gather(*(client.score([right()]) for _ in range(50)), return_exceptions=True)

    outcomes = with_client(server.url, all_at_once, connections=1, patience=0.5)
    assert [type(outcome) for outcome in outcomes] == [RewardUnavailable] * 50
    assert server.count(SCORE) < 50, "not each had its turn, and then its patience"


def test_a_batch_that_nobody_waits_for_any_more_leaves_nothing_running(server: FaultyServer) -> None:
    async def give_up(client: RewardClient) -> int:
        server.script(SCORE, hang)
        scoring = asyncio.create_task(client.score([right()]))
        while server.count(SCORE) == 0:
            await asyncio.sleep(0.005)
        scoring.cancel()
        await asyncio.gather(scoring, return_exceptions=True)
        await client.score([right()])
        return len(asyncio.all_tasks())

    assert with_client(server.url, give_up, connections=1) == 1


CERTAINTY = {
    "value": 5.0,
    "lower": 4.0,
    "upper": 6.0,
    "tokens": 9,
    "kind": "kl_to_uniform",
    "source": "rollout",
    "model": None,
    "revision": None,
    "loaded_at": None,
    "context": True,
}


def in_results(**fields: object) -> Act:
    return changed(lambda message: message["results"][0].update(fields))


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (answering(rewards=[RIGHT]), "1 rewards for 2"),
        (answering(scores=[1.0, 1.0, 1.0]), "3 scores for 2"),
        (answering(results=[]), "0 results for 2"),
        (changed(lambda message: message["results"].reverse()), "'step1/2', not of 'step1/1'"),
        (answering(rewards=[RIGHT, float("nan")]), "finite"),
        (answering(rewards=[float("-inf"), WRONG]), "finite"),
        (in_results(reward=float("nan")), "finite"),
        (changed(lambda message: message["results"][0]["terms"].update(type=float("inf"))), "finite"),
        (answering(rewards=[WRONG, RIGHT]), "rewards and scores"),
        (answering(rewards=[RIGHT, None]), "rewards.1"),
        (answering(rewards=[RIGHT, "0.5"]), "rewards.1"),
        (answering(rewards=[True, WRONG]), "rewards.0"),
        (answering(rewards=None), "rewards"),
        (in_results(score=1.5), "results.0.score"),
        (in_results(group="another"), "is of the group 'another', not None"),
        (in_results(action=None), "has an action and a reason why it has none, or neither"),
        (in_results(reason="not_json"), "has an action and a reason why it has none, or neither"),
        (in_results(action=None, reason="not_json"), "earns something, for all its reason 'not_json'"),
        (changed(lambda message: message["results"][0]["terms"].update(type=0.0)), "the reward 0.8, and terms of 0.5"),
        (in_results(certainty=CERTAINTY | {"lower": 5.5}), "a certainty of 5 outside its bounds"),
        (in_results(action={"x\x1b[2J": 7}), "results.0.action.x [2J"),
        (saying(b"[]"), "object"),
        (saying(b"null"), "object"),
        (saying(b'{"rewards": [0.8, 0.5]}'), "required"),
        (status(302, Location="http://127.0.0.1/elsewhere"), "302"),
        (status(201), "201"),
        (saying(b" " * (65 * 2**20)), "more than"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_cannot_be_right_fails_at_once(server: FaultyServer, act: Act, word: str) -> None:
    server.always(SCORE, act)
    error = failure(server.url, right(1), wrong(2))
    assert type(error) is BadAnswer
    assert word.lower() in str(error).lower()
    assert "\x1b" not in str(error)
    assert server.count(SCORE) == 1


def test_an_answer_of_another_spec_than_the_pinned_one_is_a_mismatch(server: FaultyServer) -> None:
    assert score(server.url, right(), digest=DIGEST).spec.digest == DIGEST
    server.always(SCORE, answering(spec={"name": "binary", "digest": "sha256:00"}))
    for error in (failure(server.url, digest=DIGEST), failure(f"{server.url}/score?digest={DIGEST}")):
        assert type(error) is SpecMismatch
        assert "binary (sha256:00)" in str(error)
        assert DIGEST in str(error)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422, 431])
def test_a_refusal_is_not_tried_again(server: FaultyServer, code: int) -> None:
    server.always(SCORE, lambda exchange: exchange.answer(code, b"<html>no\x00\n\xff, by a proxy</html>"))
    error = failure(server.url)
    assert type(error) is RewardRefused
    assert f"({code}): <html>no" in str(error)
    assert str(error).isprintable()
    assert server.count(SCORE) == 1


@pytest.mark.parametrize(
    "pointer", ["/rollouts/7/label", "/rollouts/-1", "/rollouts/1x", f"/rollouts/{'9' * 5_000}", "/rollouts", "?spec"]
)
def test_a_place_in_no_rollout_of_the_batch_has_no_id(server: FaultyServer, pointer: str) -> None:
    problem = {"title": "Bad", "detail": "why", "errors": [{"pointer": pointer, "detail": "why"}]}
    server.always(SCORE, status(422, problem))
    said = str(failure(server.url, right(0), right(1)))
    assert f"Bad (422): {pointer[:100]}" in said
    assert "rollout '" not in said
    assert len(said) < 2_000


def test_only_what_the_wire_knows_is_sent(server: FaultyServer) -> None:
    class Row(wire.Rollout):
        reward_before: float

    score(server.url, Row(completion="x", label={"type": "terminate"}, id="a", reward_before=3.0))
    assert server.messages(SCORE) == [{"rollouts": [{"completion": "x", "label": {"type": "terminate"}, "id": "a"}]}]


@pytest.mark.parametrize(
    "kind", [RewardError, RewardUnavailable, RewardRefused, ServerUntrusted, SpecMismatch, BadAnswer]
)
def test_errors_travel_between_processes(kind: type[RewardError]) -> None:
    arrived = pickle.loads(pickle.dumps(kind("why")))
    assert type(arrived) is kind
    assert str(arrived) == "why"
