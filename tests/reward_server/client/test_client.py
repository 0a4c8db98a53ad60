"""The client and the real server: rewards as the offline scorer has them, through pins, keys, refusals and restarts."""

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from reward_server import wire
from reward_server.certainty.rollout import RolloutSource
from reward_server.client import (
    ClientOptions,
    RewardClient,
    RewardError,
    RewardRefused,
    RewardUnavailable,
    SpecMismatch,
)
from reward_server.reward.spec import load_preset
from reward_server.rollout_files import ScoredLine, score_lines
from reward_server.scoring import Scorer, to_wire
from tests.reward_server.certainty.faulty_vllm import free_port
from tests.reward_server.client.support import LONG, RIGHT, WRONG, failure, rewards, right, score, with_client, wrong
from tests.reward_server.service.support import PLAIN, TERMINATE, sample
from tests.servers import Server, running_server

PLAIN_SPEC, FULL_SPEC, BINARY = (load_preset(name) for name in ("shop-r1-no-rationale", "shop-r1", "binary"))


@pytest.fixture(scope="module")
def locked_server() -> Iterator[Server]:
    with running_server(*PLAIN, "--api-keys", "another,the/key@1") as server:
        yield server


def test_rewards_are_those_of_the_offline_scorer(certainty_server: Server, examples: Path) -> None:
    with examples.open("rb") as file:
        lines = list(score_lines(file, Scorer(FULL_SPEC, RolloutSource())))
    scored = [line for line in lines if isinstance(line, ScoredLine)]
    assert len(scored) == len(lines) > 100
    answer = score(certainty_server.url, *(line.rollout for line in scored))
    assert answer.rewards == [line.scored.card.reward for line in scored]
    assert answer.scores == [line.scored.card.score for line in scored]
    expected = [wire.Result.model_validate(to_wire(line.rollout, line.scored)) for line in scored]
    assert answer.results == expected
    assert answer.spec == wire.SpecRef(name=FULL_SPEC.name, digest=FULL_SPEC.digest)


def test_an_empty_batch_has_no_rewards(server: Server) -> None:
    assert score(server.url).rewards == []


def test_a_completion_that_is_not_unicode_is_scored_like_any_other(server: Server) -> None:
    answer = score(server.url, wire.Rollout(completion="caf\ud800", label=TERMINATE), right())
    assert answer.rewards == [0, RIGHT]
    assert answer.results[0].reason == "not_json"


@pytest.mark.parametrize("path", ["", "/", "/score", "/get_reward", "/score?spec=shop-r1-no-rationale&run=url"])
def test_the_address_that_a_trainer_is_told_will_do(server: Server, path: str) -> None:
    assert score(server.url + path, right(), wrong()).rewards == [RIGHT, WRONG]


def test_another_loaded_spec_scores_when_it_is_asked_for(server: Server) -> None:
    for answer in (score(server.url, right(), spec="binary"), score(f"{server.url}/score?spec=binary", right())):
        assert answer.spec.digest == BINARY.digest


def test_the_pinned_digest_scores(server: Server) -> None:
    pinned = f"{server.url}/score?digest={PLAIN_SPEC.digest}"
    assert score(server.url, right(), digest=PLAIN_SPEC.digest).rewards == [RIGHT]
    assert score(pinned, right(), digest=PLAIN_SPEC.digest).rewards == [RIGHT]


def test_another_digest_than_the_pinned_one_is_a_mismatch_naming_both(server: Server) -> None:
    for error in (
        failure(server.url, digest=FULL_SPEC.digest),
        failure(f"{server.url}/score?digest={FULL_SPEC.digest}"),
        failure(server.url, digest=FULL_SPEC.digest, spec="binary"),
    ):
        assert isinstance(error, SpecMismatch)
        assert FULL_SPEC.digest in str(error)
    assert PLAIN_SPEC.digest in str(failure(server.url, digest=FULL_SPEC.digest))


def test_the_run_is_counted_in_the_server_s_metrics(server: Server) -> None:
    score(server.url, right(), wrong(), run="client-run")
    assert (
        sample(server, "shop_r1_run_rollouts_total", run="client-run", spec=PLAIN_SPEC.name, digest=PLAIN_SPEC.digest)
        == 2
    )


def test_a_rollout_that_cannot_be_scored_is_named_with_its_place_and_reason(server: Server) -> None:
    bad = wire.Rollout(completion="x", label={"type": "hover"}, id="step12/prompt7/3")
    error = failure(server.url, right(), bad, wire.Rollout(completion="x", label={"type": "swipe"}))
    assert type(error) is RewardRefused
    for part in ("Bad label (422)", "/rollouts/1/label/type (rollout 'step12/prompt7/3')", "'hover'", "terminate"):
        assert part in str(error)
    assert "/rollouts/2/label/type: " in str(error)
    assert "swipe" in str(error)
    assert "\n" not in str(error)


def test_a_spec_that_is_not_loaded_is_refused_at_once(server: Server) -> None:
    error = failure(server.url, spec="nonexistent")
    assert type(error) is RewardRefused
    assert "404" in str(error)
    assert "nonexistent" in str(error)


def test_a_misspelt_parameter_of_the_url_is_refused_and_not_lost(server: Server) -> None:
    assert "?digset" in str(failure(f"{server.url}/score?digset={PLAIN_SPEC.digest}"))


def test_the_right_key_opens_a_locked_server(locked_server: Server) -> None:
    assert score(locked_server.url, right(), api_key="the/key@1").rewards == [RIGHT]


def test_a_key_in_the_url_opens_it_too_and_is_logged_nowhere(
    locked_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{locked_server.url.replace('://', '://run:the%2Fkey%401@')}/score"
    assert score(url, right()).rewards == [RIGHT]
    assert "/score" in caplog.text
    assert "key%401" not in caplog.text + repr(ClientOptions(url))


@pytest.mark.parametrize("userinfo", ["", "run:wrong-secret@", "wrong-secret@"])
@pytest.mark.parametrize("key", [None, "wrong-secret"])
def test_a_wrong_key_is_refused_at_once_and_not_repeated(locked_server: Server, userinfo: str, key: str | None) -> None:
    url = locked_server.url.replace("://", f"://{userinfo}")
    error = failure(url, api_key=key)
    assert type(error) is RewardRefused
    assert "401" in str(error)
    assert "secret" not in str(error) + repr(ClientOptions(url, api_key=key))


def test_a_client_serves_one_event_loop_after_the_other(server: Server) -> None:
    client = RewardClient(ClientOptions(server.url, patience=LONG))
    for _ in range(3):
        assert asyncio.run(client.score([right()])).rewards == [RIGHT]


def test_a_closed_client_opens_new_connections(server: Server) -> None:
    async def close_between(client: RewardClient) -> None:
        await client.score([right()])
        await client.close()
        assert (await client.score([wrong()])).rewards == [WRONG]

    with_client(server.url, close_between)


def test_a_thousand_batches_at_once_each_get_their_own_rewards(server: Server) -> None:
    batches = [[right(number) if number % 3 else wrong(number)] for number in range(1_000)]

    async def all_at_once(client: RewardClient) -> list[wire.ScoreResponse]:
        return await asyncio.gather(*map(client.score, batches))

    answers = with_client(server.url, all_at_once)
    assert rewards(answers) == [RIGHT if number % 3 else WRONG for number in range(1_000)]


def test_a_server_killed_in_mid_batch_and_started_again_is_waited_for() -> None:
    port = free_port()
    flags = (*PLAIN, "--port", str(port))
    batches = [[right(number), wrong(number)] for number in range(400)]

    async def kill_in_the_middle(client: RewardClient) -> list[wire.ScoreResponse]:
        with running_server(*flags) as first:
            scoring = [asyncio.create_task(client.score(batch)) for batch in batches]
            await asyncio.wait(scoring, return_when=asyncio.FIRST_COMPLETED)
            first.process.kill()
        await asyncio.sleep(1)
        assert 0 < sum(task.done() for task in scoring) < len(scoring)
        with running_server(*flags):
            return await asyncio.gather(*scoring)

    answers = with_client(f"http://127.0.0.1:{port}", kill_in_the_middle, connections=4)
    assert rewards(answers) == [RIGHT, WRONG] * len(batches)


def test_a_server_killed_in_mid_batch_for_good_is_told_when_patience_ends() -> None:
    async def kill_in_the_middle(client: RewardClient) -> list[wire.ScoreResponse | BaseException]:
        scoring = [asyncio.create_task(client.score([right(number)])) for number in range(400)]
        await asyncio.wait(scoring, return_when=asyncio.FIRST_COMPLETED)
        server.process.kill()
        return await asyncio.gather(*scoring, return_exceptions=True)

    with running_server(*PLAIN) as server:
        start = monotonic()
        outcomes = with_client(server.url, kill_in_the_middle, connections=4, patience=3)
        # Patience is 3 s, and 600 s where it is not heard.
        assert monotonic() - start < 60
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert 0 < len(failed) < 400
    assert {type(error) for error in failed} == {RewardUnavailable}
    assert all(f"{server.url}/score gave no rewards within 3 s" in str(error) for error in failed)
    # Those in flight were cut off; whoever came to a turn after them was refused.
    assert all(
        re.search(r"the last that went wrong: (Connect|Read|RemoteProtocol)Error", str(error)) for error in failed
    )
    assert rewards([outcome for outcome in outcomes if isinstance(outcome, wire.ScoreResponse)]) == [RIGHT] * (
        400 - len(failed)
    )


def test_a_label_that_json_has_no_word_for_is_told_before_anything_is_sent() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    error = failure(nowhere, wire.Rollout(completion="x", label={"type": object()}))
    assert type(error) is RewardError
    assert "JSON" in str(error)


@pytest.mark.parametrize(
    ("thing", "kind"), [({"completion": "x", "label": {"type": "terminate"}}, "dict"), ("x", "str"), (None, "NoneType")]
)
def test_what_is_no_rollout_is_told_with_its_place_before_anything_is_sent(thing: Any, kind: str) -> None:
    error = failure(f"http://127.0.0.1:{free_port()}", right(), thing)
    assert type(error) is RewardError
    assert str(error) == f"rollout 1 is a {kind}, not a reward_server.wire.Rollout"
