"""A server whose certainties come from a vLLM: scores, headers, metrics, and which rollouts it takes.

The vLLM is a stand-in; what a real one answers is tested in tests/e2e.
"""

from collections.abc import Iterator

import pytest

from tests.reward_server.certainty.faulty_vllm import (
    LOADED_AT,
    MEASURE,
    FaultyVllm,
    running_vllm,
    status,
    tokenizer,
)
from tests.reward_server.service.support import (
    TERMINATE,
    assert_refused,
    batch,
    eventually,
    rollout,
    said,
    sample,
)
from tests.reward_server.service.vllm_support import ALPHA, PROMPT, START, SURE, VALUE, is_ready, prompted, scoring_with
from tests.servers import Server


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[FaultyVllm, Server]]:
    """A vLLM and a server, for tests that leave them as they were."""
    with running_vllm() as vllm, scoring_with(vllm) as server:
        eventually(lambda: is_ready(server))
        yield vllm, server


@pytest.fixture
def server(pair: tuple[FaultyVllm, Server]) -> Server:
    return pair[1]


@pytest.fixture
def vllm(pair: tuple[FaultyVllm, Server]) -> FaultyVllm:
    return pair[0]


def test_a_rollout_is_scored_with_the_models_certainty(server: Server) -> None:
    response = server.post(json=batch(prompted(), {"completion": "x", "label": TERMINATE}, prompted(prompt=None)))
    assert response.status_code == 200, response.text
    first, invalid, alone = response.json()["results"]
    assert first["terms"]["certainty"] == pytest.approx(ALPHA * VALUE)
    assert first["certainty"] == {
        "value": pytest.approx(VALUE),
        "lower": pytest.approx(VALUE),
        "upper": pytest.approx(VALUE),
        "tokens": 10,
        "kind": "kl_to_uniform",
        "source": "vllm",
        "model": "policy",
        "revision": "step-1",
        "loaded_at": LOADED_AT,
        "context": True,
    }
    assert invalid["certainty"] is None
    assert alone["certainty"]["context"] is False


def test_openrlhfs_dialect_is_scored_after_the_prompt_that_its_query_has(vllm: FaultyVllm, server: Server) -> None:
    before = len(vllm.messages(MEASURE))
    completion = said(TERMINATE)
    message = {"query": [f"{PROMPT}{completion}", "nonsense"], "prompts": [PROMPT, "non"], "labels": [TERMINATE] * 2}
    response = server.post(json=message)
    assert response.json()["rewards"] == pytest.approx([0.8 + ALPHA * VALUE, 0])
    logs = response.json()["extra_logs"]
    assert logs["certainty_nats"] == pytest.approx(VALUE / 2)
    assert (logs["certainty_width"], logs["certainty_without_context"]) == (0, 0)
    (asked,) = vllm.messages(MEASURE)[before:]
    assert tokenizer().decode(asked["prompt_token_ids"]) == PROMPT
    assert response.headers["x-certainty-source"] == "vllm"


def test_logs_say_how_many_were_measured_out_of_context(server: Server) -> None:
    message = {"query": [said(TERMINATE), f"p{said(TERMINATE)}"], "prompts": ["", "p"], "labels": [TERMINATE] * 2}
    assert server.post(json=message).json()["extra_logs"]["certainty_without_context"] == 0.5


def test_a_retry_gives_the_same_bytes(server: Server) -> None:
    request = batch(prompted(), rollout())
    assert server.post(json=request).content == server.post(json=request).content


def test_answers_carry_the_source_the_model_and_its_age(server: Server) -> None:
    first, second = (server.post(json=batch(prompted())).headers for _ in range(2))
    assert first["x-certainty-source"] == "vllm"
    assert first["x-certainty-model"] == "policy"
    assert first["x-certainty-revision"] == "step-1"
    assert 0 <= int(first["x-certainty-model-age"]) <= int(second["x-certainty-model-age"])


@pytest.mark.parametrize(
    "rollouts", [[], [{"completion": "x", "label": TERMINATE}]], ids=["empty batch", "nothing valid"]
)
def test_an_answer_that_needed_no_measuring_names_the_source_all_the_same(
    server: Server, rollouts: list[object]
) -> None:
    headers = server.post(json=batch(*rollouts)).headers
    assert (headers["x-certainty-source"], headers["x-certainty-model"]) == ("vllm", "policy")


def test_an_answer_under_a_spec_without_certainty_has_none(server: Server) -> None:
    headers = server.post("/score?spec=binary", json=batch(prompted())).headers
    assert headers["x-certainty-source"] == "none"
    assert "x-certainty-model" not in headers


def test_the_version_names_the_model(server: Server) -> None:
    assert server.get("/version").json()["certainty"] == {
        "source": "vllm",
        "kind": "kl_to_uniform",
        "model": "policy",
        "revision": "step-1",
        "loaded_at": LOADED_AT,
        "takes_rollouts": False,
    }


def test_a_models_name_is_made_fit_for_a_header(vllm: FaultyVllm, server: Server) -> None:
    good = vllm.weights
    vllm.weights = {**good, "model": "Модель\r\nX-Evil: 1 ü", "revision": "r\x00" + "1" * 10_000}
    try:
        headers = server.post(json=batch(prompted())).headers
    finally:
        vllm.weights = good
    assert headers["x-certainty-model"] == "????????X-Evil: 1 ü"
    assert headers["x-certainty-revision"] == "r?" + "1" * 498
    assert "x-evil" not in headers


def test_where_prompts_are_required_a_rollout_without_one_is_refused_by_name(vllm: FaultyVllm) -> None:
    with scoring_with(vllm, "--require-prompt") as server:
        before = vllm.count(MEASURE)
        invalid = {"completion": "x", "label": TERMINATE}
        response = server.post(json=batch(prompted(), invalid, rollout(), rollout(prompt="")))
        body = assert_refused(response, 422, "bad-certainty", "/rollouts/2/prompt")
        assert [error["pointer"] for error in body["errors"]] == ["/rollouts/2/prompt", "/rollouts/3/prompt"]
        assert "REWARD_REQUIRE_PROMPT" in body["detail"]
        query = {"query": [said(TERMINATE)], "prompts": [""], "labels": [TERMINATE]}
        assert_refused(server.post(json=query), 422, "bad-certainty", "/query/0")
        assert vllm.count(MEASURE) == before
        fine = batch(prompted(), invalid, rollout(prompt_token_ids=[7]), rollout(completion=said(TERMINATE, "")))
        assert server.post(json=fine).status_code == 200


def test_a_batch_may_bring_its_own_logprobs_where_that_is_allowed_but_all_of_it_or_none(vllm: FaultyVllm) -> None:
    with scoring_with(vllm, "--rollout-certainty", "--require-prompt") as server:
        own = rollout(certainty=SURE)
        response = server.post(json=batch(own, own))
        assert [result["certainty"]["source"] for result in response.json()["results"]] == ["rollout"] * 2
        assert response.headers["x-certainty-source"] == "rollout"
        assert "x-certainty-model" not in response.headers
        assert server.post(json=batch(prompted())).json()["results"][0]["certainty"]["source"] == "vllm"
        before = vllm.count(MEASURE)
        mixed = server.post(json=batch(own, prompted(), own, prompted()))
        body = assert_refused(mixed, 422, "bad-certainty", "/rollouts/1/certainty")
        assert [error["pointer"] for error in body["errors"]] == ["/rollouts/1/certainty", "/rollouts/3/certainty"]
        assert vllm.count(MEASURE) == before


def test_logprobs_are_not_looked_at_where_that_is_not_allowed(server: Server) -> None:
    (result,) = server.post(json=batch(prompted(certainty=SURE))).json()["results"]
    assert (result["certainty"]["source"], result["certainty"]["value"]) == ("vllm", pytest.approx(VALUE))


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"prompt_token_ids": [1, 2, 300]}, "/prompt_token_ids/2"),
        ({"completion_token_ids": [300]}, "/completion_token_ids"),
        ({"completion_token_ids": [1, 2]}, "/completion_token_ids"),
        ({"prompt": "x" * 2_000}, "/prompt"),
    ],
    ids=["id outside the vocabulary", "id of the completion outside", "another text", "too long"],
)
def test_a_rollout_that_cannot_be_measured_is_refused_and_nothing_is_scored(
    vllm: FaultyVllm, server: Server, fields: dict[str, object], pointer: str
) -> None:
    before = vllm.count(MEASURE)
    response = server.post(json=batch(prompted(), prompted(**fields)))
    assert_refused(response, 422, "bad-certainty", f"/rollouts/1{pointer}")
    assert vllm.count(MEASURE) == before


def test_what_the_plugin_refuses_is_the_rollouts_that_have_it(vllm: FaultyVllm, server: Server) -> None:
    vllm.script(MEASURE, status(422, {"error": {"pointer": "/completions/0/span", "reason": "too long"}}))
    other = {"completion": "x", "label": TERMINATE}
    assert_refused(server.post(json=batch(other, prompted())), 422, "bad-certainty", "/rollouts/1/completion")


def test_measurements_are_timed_and_their_tokens_counted() -> None:
    with running_vllm() as vllm, scoring_with(vllm) as server:
        server.post(json=batch(prompted(), rollout(), {"completion": "x", "label": TERMINATE}))
        assert sample(server, "shop_r1_certainty_seconds_count", source="vllm") == 1
        assert sample(server, "shop_r1_certainty_tokens_total", source="vllm") == 20
        assert sample(server, "shop_r1_certainty_without_context_total", source="vllm") == 1
        assert sample(server, "shop_r1_certainty_bound_width_bucket", source="vllm", le="0.0") == 2
        kind = {"source": "vllm", "kind": "kl_to_uniform"}
        assert sample(server, "shop_r1_certainty_nats_sum", **kind) == pytest.approx(2 * VALUE)
        # The stand-in says of each of the two completions that 3 tokens came from the cache.
        read = 2 * (START + 10) + len(PROMPT)
        assert sample(server, "shop_r1_certainty_cached_tokens_total", source="vllm") == 6
        assert sample(server, "shop_r1_certainty_computed_tokens_total", source="vllm") == read - 6


def test_one_model_is_published_at_a_time_with_the_moment_it_was_loaded() -> None:
    """2026-11-21 07:30:00 UTC is 1,795,246,200 seconds after the epoch."""
    with running_vllm() as vllm, scoring_with(vllm) as server:
        model = {"source": "vllm", "model": "policy"}
        eventually(lambda: sample(server, "shop_r1_certainty_model_info", revision="step-1", **model) == 1)
        loaded = "shop_r1_certainty_model_loaded_timestamp_seconds"
        assert sample(server, loaded, source="vllm") == 1_795_246_200
        vllm.weights = vllm.weights | {"revision": "step-2", "loaded_at": "2026-11-21T08:30:00+01:00"}
        eventually(lambda: sample(server, "shop_r1_certainty_model_info", revision="step-2", **model) == 1)
        assert sample(server, "shop_r1_certainty_model_info", revision="step-1", **model) == 0
        assert sample(server, loaded, source="vllm") == 1_795_246_200
