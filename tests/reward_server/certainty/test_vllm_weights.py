"""The source `vllm` while the weights change: no batch is measured by two versions of them."""

from collections.abc import Iterator

import pytest

from reward_server.certainty.source import SourceMismatch, SourceUnavailable
from reward_server.certainty.vllm import VllmSource
from tests.reward_server.certainty.faulty_vllm import (
    MEASURE,
    TOKENIZER,
    Exchange,
    FaultyVllm,
    answering,
    running_vllm,
    saying,
    status,
    tokenizer,
    well,
)
from tests.reward_server.certainty.vllm_support import expected, failure, measure, options, request, with_source


@pytest.fixture
def vllm() -> Iterator[FaultyVllm]:
    with running_vllm() as running:
        yield running


def test_a_batch_in_whose_middle_the_weights_change_is_measured_again_as_a_whole(vllm: FaultyVllm) -> None:
    """The second prompt is measured by other weights than the first; both have to come from one version."""
    new = {"revision": "step-2", "loaded_at": "2026-11-21T08:00:00Z"}

    def reload(exchange: Exchange) -> None:
        vllm.weights = vllm.weights | new
        well(exchange)

    vllm.script(MEASURE, well, reload)
    answers = measure(vllm, request(prompt="first"), request(prompt="second"), concurrency=1)
    assert {(answer.revision, answer.loaded_at) for answer in answers} == {("step-2", "2026-11-21T08:00:00Z")}
    assert vllm.count(MEASURE) == 4
    assert vllm.count(TOKENIZER) == 1


def test_weights_that_change_all_the_time_measure_nothing(vllm: FaultyVllm) -> None:
    """Two replicas with different weights behind one address."""

    def alternate(exchange: Exchange) -> None:
        answering(revision=f"replica-{vllm.count(MEASURE) % 2}")(exchange)

    vllm.always(MEASURE, alternate)
    error = failure(vllm, patience=1)
    assert isinstance(error, SourceUnavailable)
    assert "weights changed in the middle" in str(error)


def test_weights_with_another_tokenizer_are_read_with_it(vllm: FaultyVllm) -> None:
    async def change(source: VllmSource) -> None:
        await source.measure([request("Yes")], "kl_to_uniform")
        vllm.tokenizer = tokenizer(backwards=True).to_str()
        vllm.weights = vllm.weights | {"revision": "step-2"}
        await source.measure([request("Yes")], "kl_to_uniform")

    with_source(options(vllm), change)
    first, last = vllm.messages(MEASURE)[0], vllm.messages(MEASURE)[-1]
    assert first["prompt_token_ids"] == tokenizer().encode("What next?").ids
    assert last["prompt_token_ids"] == tokenizer(backwards=True).encode("What next?").ids


def test_a_tokenizer_that_changes_alone_in_the_middle_of_a_batch_has_it_measured_again(
    vllm: FaultyVllm, caplog: pytest.LogCaptureFixture
) -> None:
    """The ids that were sent mean other texts then, so that certainties of them would be those of nothing."""

    def restarted(exchange: Exchange) -> None:
        vllm.tokenizer = tokenizer(backwards=True).to_str()
        well(exchange)

    vllm.script(MEASURE, well, restarted)
    measure(vllm, request("Yes"), request("Yes", prompt="Now?"), concurrency=1)
    backwards = [tokenizer(backwards=True).encode(prompt).ids for prompt in ("What next?", "Now?")]
    assert [message["prompt_token_ids"] for message in vllm.messages(MEASURE)][2:] == backwards
    assert "the tokenizer of vLLM at" in caplog.text


def test_a_revision_that_was_asked_for_keeps_its_tokenizer(vllm: FaultyVllm) -> None:
    async def change(source: VllmSource) -> None:
        await source.measure([request("Yes")], "kl_to_uniform")
        before, vllm.tokenizer = vllm.tokenizer, tokenizer(backwards=True).to_str()
        for _ in range(2):
            with pytest.raises(SourceMismatch, match=r"tokenizer .* was sha256:.* and is sha256:.*step-1"):
                await source.check()
            with pytest.raises(SourceMismatch, match="tokenizer"):
                await source.measure([request("Yes")], "kl_to_uniform")
        vllm.tokenizer = before
        await source.measure([request("Yes")], "kl_to_uniform")

    with_source(options(vllm, revision="step-1"), change)


def test_a_refusal_by_a_model_with_another_vocabulary_is_no_fault_of_the_request(vllm: FaultyVllm) -> None:
    refusal = {"error": {"pointer": "/prompt_token_ids/0", "reason": "the id 54 is outside the vocabulary of 50"}}

    def reloaded(exchange: Exchange) -> None:
        vllm.weights = vllm.weights | {"revision": "step-2"}
        status(422, refusal)(exchange)

    vllm.script(MEASURE, reloaded)
    (answer,) = measure(vllm, request())
    assert answer.revision == "step-2"


def test_a_tokenizer_that_is_not_the_one_announced_is_fetched_again(vllm: FaultyVllm) -> None:
    vllm.script(TOKENIZER, saying(tokenizer(backwards=True).to_str().encode()))
    (answer,) = measure(vllm, request("Yes"))
    assert answer.value == pytest.approx(expected("Yes"))
    assert vllm.count(TOKENIZER) == 2
