"""The client and several servers: work is shared, one that fails is left alone and looked at, none scores otherwise."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from threading import Event
from typing import Any

import pytest

from reward_server import wire
from reward_server.client import BadAnswer, ClientOptions, RewardClient, RewardError, RewardUnavailable, SpecMismatch
from reward_server.client import client as client_module
from reward_server.client import servers as servers_module
from reward_server.reward.spec import load_preset
from tests.reward_server.certainty.faulty_vllm import (
    Act,
    Exchange,
    answering,
    free_port,
    half_a_message,
    half_an_answer,
    hang,
    hang_up,
    saying,
    status,
    well,
)
from tests.reward_server.client.faulty_server import READY, SCORE, FaultyServer, running_faulty_server
from tests.reward_server.client.support import RIGHT, WRONG, failure, rewards, right, score, with_client, wrong
from tests.reward_server.service.support import PLAIN, sample
from tests.servers import Server, running_server

SPEC = load_preset("shop-r1-no-rationale")


@pytest.fixture
def servers() -> Iterator[list[FaultyServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running_faulty_server()) for _ in range(3)]


def urls(servers: list[FaultyServer]) -> list[str]:
    return [server.url for server in servers]


def counts(servers: list[FaultyServer], route: str = SCORE) -> list[int]:
    return [server.count(route) for server in servers]


async def one_by_one(client: RewardClient, number: int) -> list[float]:
    return rewards([await client.score([right()]) for _ in range(number)])


def test_batches_are_spread_evenly_over_those_that_are_well(servers: list[FaultyServer]) -> None:
    def work(client: RewardClient) -> Any:
        return one_by_one(client, 30)

    assert with_client(urls(servers), work, digest=SPEC.digest) == [RIGHT] * 30
    assert counts(servers) == [10, 10, 10]
    assert counts(servers, READY) == [0, 0, 0]


def test_the_server_with_the_least_to_do_is_asked(servers: list[FaultyServer]) -> None:
    go_on = Event()

    def when_told(exchange: Exchange) -> None:
        go_on.wait()
        well(exchange)

    slow, *quick = servers
    slow.always(SCORE, when_told)

    async def keep_one_busy(client: RewardClient) -> None:
        scoring = asyncio.create_task(client.score([right()]))
        while slow.count(SCORE) < 1:
            if scoring.done():
                scoring = asyncio.create_task(client.score([right()]))
            await asyncio.sleep(0.01)
        assert await one_by_one(client, 20) == [RIGHT] * 20
        go_on.set()
        await scoring

    with_client(urls(servers), keep_one_busy, digest=SPEC.digest)
    assert slow.count(SCORE) == 1
    assert min(counts(quick)) >= 9


@pytest.mark.parametrize(
    "fault",
    [status(500), status(503, Retry_After="9999"), status(408), hang_up, half_an_answer, half_a_message, saying(b"")],
    ids=["500", "busy", "408", "gone", "half answer", "half JSON", "empty"],
)
def test_a_batch_that_a_server_fails_is_scored_whole_by_another(servers: list[FaultyServer], fault: Act) -> None:
    sick, healthy, _ = servers
    sick.always(SCORE, fault)
    sick.always(READY, status(503))

    def work(client: RewardClient) -> Any:
        return asyncio.gather(*(client.score([right(number), wrong(number)]) for number in range(20)))

    answers = with_client([sick.url, healthy.url], work, digest=SPEC.digest)
    assert rewards(answers) == [RIGHT, WRONG] * 20
    assert healthy.count(SCORE) == 20


def test_a_server_that_failed_is_asked_for_rewards_again_only_once_it_is_ready(
    servers: list[FaultyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers_module, "_LONGEST_REST", 0.2)
    sick, healthy, _ = servers
    sick.script(SCORE, status(500))
    sick.always(READY, status(503))

    async def work(client: RewardClient) -> None:
        for _ in range(2):
            await client.score([right()])
        assert counts([sick, healthy]) == [1, 2]
        while sick.count(READY) < 3:
            await client.score([right()])
        assert sick.count(SCORE) == 1
        sick.always(READY, well)
        while sick.count(SCORE) < 10:
            await client.score([right()])

    with_client([sick.url, healthy.url], work, digest=SPEC.digest)
    assert sick.count(READY) >= 4


def test_one_looks_at_a_server_for_all_who_wait(servers: list[FaultyServer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_LOOK_SECONDS", 60)
    pair, go_on = servers[:2], Event()

    def when_told(exchange: Exchange) -> None:
        go_on.wait()
        well(exchange)

    for server in pair:
        server.script(SCORE, *[status(500)] * 20)
        server.always(READY, when_told)

    async def work(client: RewardClient) -> Any:
        scoring = asyncio.gather(*(client.score([right()]) for _ in range(40)))
        while sum(counts(pair, READY)) < 1:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # for a second to look, who must not
        assert sum(counts(pair, READY)) == 1
        go_on.set()
        return await scoring

    assert rewards(with_client(urls(pair), work, digest=SPEC.digest)) == [RIGHT] * 40


def test_a_server_whose_gateway_hides_whether_it_is_ready_is_used_again(servers: list[FaultyServer]) -> None:
    pair = servers[:2]
    for server in pair:
        server.script(SCORE, hang_up)
        server.always(READY, status(404))
    assert score(urls(pair), right(), digest=SPEC.digest).rewards == [RIGHT]


def test_a_server_that_says_not_whether_it_is_ready_is_passed_over(
    servers: list[FaultyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_LOOK_SECONDS", 0.05)
    silent, healthy, _ = servers
    silent.script(SCORE, hang_up)
    silent.always(READY, hang)

    async def work(client: RewardClient) -> None:
        while silent.count(READY) < 2:
            assert (await client.score([right()])).rewards == [RIGHT]

    with_client([silent.url, healthy.url], work, digest=SPEC.digest)
    assert silent.count(SCORE) == 1


def test_a_server_that_falls_silent_is_given_up_for_another(
    servers: list[FaultyServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_LEAST_SILENCE", 0.0)
    for server in servers[:2]:
        server.always(SCORE, hang)
    assert score(urls(servers), right(), digest=SPEC.digest, patience=9).rewards == [RIGHT]


def test_all_that_went_wrong_is_told_with_its_server_when_patience_ends(servers: list[FaultyServer]) -> None:
    for server in servers:
        server.always(SCORE, status(500, {"title": "Oh"}))
    error = failure(urls(servers), digest=SPEC.digest, patience=2)
    assert type(error) is RewardUnavailable
    assert all(f"{server.url}/score" in str(error) for server in servers)
    assert "gave no rewards within 2 s" in str(error)
    assert any(f"the last that went wrong: {server.url}/score: Oh (500)" in str(error) for server in servers)


def test_what_is_waited_for_is_logged_again_and_again_while_all_are_away(
    servers: list[FaultyServer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(servers_module, "_LONGEST_REST", 0.1)
    monkeypatch.setattr(client_module, "_LOG_SECONDS", 0.05)
    for server in servers:
        server.always(SCORE, status(500, {"title": "Oh"}))
        server.always(READY, status(503))

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "reward_server.client"]

    async def until_logged(client: RewardClient) -> list[float]:
        scoring = asyncio.create_task(client.score([right()]))
        async with asyncio.timeout(60):
            while len(lines()) < 5:
                await asyncio.sleep(0.01)
        for server in servers:
            server.always(SCORE, well)
            server.always(READY, well)
        return (await scoring).rewards

    assert with_client(urls(servers), until_logged, digest=SPEC.digest) == [RIGHT]
    assert any("/score: Oh (500); asking again" in line for line in lines())
    assert any("/readyz answers 503; asking again; a batch has 3600 s in all" in line for line in lines())


def test_where_all_name_a_later_time_than_the_deadline_the_batch_ends_at_once(servers: list[FaultyServer]) -> None:
    for server in servers:
        server.always(SCORE, status(503, Retry_After="9999"))
    error = failure(urls(servers), digest=SPEC.digest, patience=600)
    assert type(error) is RewardUnavailable
    assert "may not be asked again before that" in str(error)
    assert counts(servers) == [1, 1, 1]


def test_a_server_of_another_digest_is_an_error_and_never_mixed_in(server: Server) -> None:
    with running_server("--spec", "binary", "--certainty", "none") as other:

        async def work(client: RewardClient) -> list[Any]:
            return await asyncio.gather(*(client.score([right()]) for _ in range(10)), return_exceptions=True)

        outcomes = with_client([server.url, other.url], work, digest=SPEC.digest)
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(error) for error in failed} == {SpecMismatch}
    assert all(f"the reward server at {other.url}/score scores with another spec" in str(error) for error in failed)
    scored = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert {answer.spec.digest for answer in scored} == {SPEC.digest}


def test_an_answer_that_cannot_be_right_is_told_though_others_are_well(servers: list[FaultyServer]) -> None:
    for server in servers:
        server.always(SCORE, answering(rewards=[float("nan")]))
    error = failure(urls(servers), digest=SPEC.digest)
    assert type(error) is BadAnswer
    assert sum(counts(servers)) == 1


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (["http://a", "http://b"], {}),
        (["http://a?digest=sha256:1", "http://b"], {}),
        (["http://a?digest=sha256:1", "http://b?digest=sha256:2"], {}),
    ],
)
def test_several_servers_without_one_pinned_digest_are_refused(given: list[str], options: dict[str, str]) -> None:
    with pytest.raises(RewardError, match="digest: of several servers"):
        RewardClient(ClientOptions(given, **options))


def test_several_servers_may_be_pinned_in_their_urls(servers: list[FaultyServer]) -> None:
    pinned = [f"{url}/score?digest={SPEC.digest}" for url in urls(servers)]
    assert score(pinned, right()).rewards == [RIGHT]


def test_no_server_at_all_is_refused() -> None:
    with pytest.raises(RewardError, match="url: there is none"):
        RewardClient(ClientOptions([]))


def test_no_key_of_any_server_is_shown(servers: list[FaultyServer]) -> None:
    given = [url.replace("://", f"://run:secret-{number}@") for number, url in enumerate(urls(servers))]
    for server in servers:
        server.always(SCORE, status(500, {"title": "no secret-0 secret-1 secret-2"}))
    error = failure(given, digest=SPEC.digest, patience=0.5)
    assert "secret" not in str(error) + repr(ClientOptions(given))


def test_each_server_is_asked_with_its_own_key(servers: list[FaultyServer]) -> None:
    given = [url.replace("://", f"://run:key-{number}@") for number, url in enumerate(urls(servers))]

    def work(client: RewardClient) -> Any:
        return one_by_one(client, 3)

    with_client(given, work, digest=SPEC.digest)
    assert len({server.seen[0].authorization for server in servers}) == 3


def test_one_of_three_servers_killed_and_started_again_under_a_stream_of_batches() -> None:
    port = free_port()
    flags = (*PLAIN, "--port", str(port))
    numbers = count()
    scored: dict[int, wire.ScoreResponse] = {}

    def is_used(server: Server) -> bool:
        labels = {"run": "stream", "spec": SPEC.name, "digest": SPEC.digest}
        return sample(server, "shop_r1_run_rollouts_total", **labels) > 0

    async def stream(client: RewardClient, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            number = next(numbers)
            answer = await client.score([right(number), wrong(number)])
            assert number not in scored
            scored[number] = answer

    async def until(server: Server) -> None:
        for _ in range(600):
            if await asyncio.to_thread(is_used, server):
                return
            await asyncio.sleep(0.1)
        raise AssertionError("it was never asked")

    async def kill_and_start(client: RewardClient) -> None:
        is_over = asyncio.Event()
        streams = [asyncio.create_task(stream(client, is_over)) for _ in range(4)]
        with running_server(*flags) as first:
            await until(first)
            first.process.kill()
            first.process.wait()
        so_far = len(scored)
        while len(scored) < so_far + 50:
            await asyncio.sleep(0.01)
        with running_server(*flags) as second:
            await until(second)
            is_over.set()
            await asyncio.gather(*streams)

    with running_server(*PLAIN) as left, running_server(*PLAIN) as right_one:
        several = [left.url, f"http://127.0.0.1:{port}", right_one.url]
        with_client(several, kill_and_start, digest=SPEC.digest, run="stream")
    assert sorted(scored) == list(range(next(numbers)))
    assert all(answer.rewards == [RIGHT, WRONG] for answer in scored.values())
    assert all(answer.results[0].id == f"step1/{number}" for number, answer in scored.items())
