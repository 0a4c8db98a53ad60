"""The source `vllm`: what it asks the plugin, what it makes of the answers, and what it refuses."""

import asyncio
from collections.abc import Iterator
from threading import Barrier

import pytest

from reward_server.certainty.source import (
    Certainty,
    EvidenceError,
    Model,
    RationaleRequest,
    TokensRead,
)
from reward_server.certainty.vllm import VllmSource
from tests.reward_server.certainty.faulty_vllm import (
    ABOUT,
    LOADED_AT,
    LONGEST,
    MEASURE,
    TOKENIZER,
    VOCAB_SIZE,
    Exchange,
    FaultyVllm,
    running_vllm,
    status,
    tokenizer,
    well,
)
from tests.reward_server.certainty.vllm_support import (
    START,
    bytes_of,
    expected,
    measure,
    options,
    request,
    saying_why,
    with_source,
)


@pytest.fixture
def vllm() -> Iterator[FaultyVllm]:
    with running_vllm() as running:
        yield running


def test_certainties_come_in_the_order_of_the_requests_and_each_prompt_is_sent_once(vllm: FaultyVllm) -> None:
    rationales = ["a", "bb", "ccc", "dddd"]
    prompts = ["first", "second", "first", "second"]
    answers = measure(vllm, *map(request, rationales, prompts))
    assert [answer.value for answer in answers] == pytest.approx([expected(text) for text in rationales])
    assert [answer.tokens for answer in answers] == [1, 2, 3, 4]
    sent = {bytes_of(message["prompt_token_ids"]): message["completions"] for message in vllm.messages(MEASURE)}
    assert {prompt: len(completions) for prompt, completions in sent.items()} == {"first": 2, "second": 2}
    assert vllm.count(MEASURE) == 2


def test_a_completion_is_sent_up_to_its_rationales_end_and_only_once(vllm: FaultyVllm) -> None:
    answers = measure(vllm, request("Yes"), request("No"), request("Yes"))
    assert [answer.value for answer in answers] == pytest.approx([expected("Yes"), expected("No"), expected("Yes")])
    (message,) = vllm.messages(MEASURE)
    assert [bytes_of(completion["token_ids"]) for completion in message["completions"]] == [
        '{"rationale": "Yes',
        '{"rationale": "No',
    ]
    assert [completion["span"] for completion in message["completions"]] == [[START, START + 3], [START, START + 2]]


def test_an_empty_batch_asks_nothing(vllm: FaultyVllm) -> None:
    assert measure(vllm) == []
    assert vllm.seen == []


def test_an_exact_value_is_its_own_bounds_and_names_its_weights(vllm: FaultyVllm) -> None:
    (answer,) = measure(vllm, request("Yes"))
    value = expected("Yes")
    assert answer == Certainty(value, value, value, 3, "kl_to_uniform", "vllm", "policy", "step-1", LOADED_AT)


def test_each_kind_is_read_from_its_field(vllm: FaultyVllm) -> None:
    (over_vocab,) = measure(vllm, request("Yes"), kind="kl_to_uniform_over_vocab")
    assert over_vocab.value == pytest.approx(expected("Yes") / VOCAB_SIZE)
    (from_uniform,) = measure(vllm, request("Yes"), kind="kl_from_uniform")
    assert from_uniform.value == pytest.approx(2 * expected("Yes"))


def test_the_prompts_tokens_win_over_its_text_and_without_either_there_is_no_context(vllm: FaultyVllm) -> None:
    answers = measure(vllm, request(prompt_token_ids=[7, 8]), request(prompt=None), request(prompt=""))
    assert [message["prompt_token_ids"] for message in vllm.messages(MEASURE)] in ([[7, 8], []], [[], [7, 8]])
    assert [answer.context for answer in answers] == [True, False, False]


def test_the_completions_own_tokens_are_sent_as_they_were_sampled(vllm: FaultyVllm) -> None:
    ids = [*tokenizer().encode(saying_why("Yes")).ids, 256]
    measure(vllm, request("Yes", completion_token_ids=ids))
    (message,) = vllm.messages(MEASURE)
    assert message["completions"] == [{"token_ids": ids[: START + 3], "span": [START, START + 3]}]


def test_the_tokenizer_is_fetched_once_and_the_plugin_asked_once_for_many_batches(vllm: FaultyVllm) -> None:
    async def batches(source: VllmSource) -> None:
        await asyncio.gather(*(source.measure([request()], "kl_to_uniform") for _ in range(5)))
        await source.measure([request()], "kl_to_uniform")

    with_source(options(vllm), batches)
    assert (vllm.count(ABOUT), vllm.count(TOKENIZER), vllm.count(MEASURE)) == (1, 1, 6)


def test_no_more_prompts_are_measured_at_once_than_allowed(vllm: FaultyVllm) -> None:
    async def late(source: VllmSource) -> list[Certainty]:
        return await source.measure([request(prompt=str(number)) for number in range(12)], "kl_to_uniform")

    three = Barrier(3)

    def slow(exchange: Exchange) -> None:
        three.wait(timeout=60)
        exchange.vllm.ended.wait(0.05)
        well(exchange)

    vllm.always(MEASURE, slow)
    assert len(with_source(options(vllm, concurrency=3), late)) == 12
    assert vllm.most_at_once == 3


def test_what_the_model_computed_and_what_its_cache_spared_are_counted(vllm: FaultyVllm) -> None:
    """The server says 3 tokens came from the cache; 10 of the prompt and 18 of the completion were read."""

    async def read(source: VllmSource) -> TokensRead:
        await source.measure([request("Yes")], "kl_to_uniform")
        return source.tokens_read

    assert with_source(options(vllm), read) == TokensRead(10 + START + 3 - 3, 3)


def test_the_model_is_known_once_the_plugin_has_been_asked(vllm: FaultyVllm) -> None:
    async def models(source: VllmSource) -> list[Model | None]:
        before = source.model
        await source.check()
        return [before, source.model]

    assert with_source(options(vllm), models) == [None, Model("policy", "step-1", LOADED_AT)]


def test_one_source_serves_one_event_loop_after_the_other(vllm: FaultyVllm) -> None:
    source = VllmSource(options(vllm))

    async def once() -> int:
        (answer,) = await source.measure([request("Yes")], "kl_to_uniform")
        await source.close()
        return answer.tokens

    assert [asyncio.run(once()) for _ in range(3)] == [3, 3, 3]


def faults(vllm: FaultyVllm, *requests: RationaleRequest) -> list[tuple[int, tuple[str | int, ...], str]]:
    with pytest.raises(EvidenceError) as caught:
        measure(vllm, *requests)
    return [(fault.index, fault.path, fault.reason) for fault in caught.value.faults]


def test_a_refused_completion_is_named_in_every_request_that_has_it(vllm: FaultyVllm) -> None:
    vllm.always(MEASURE, status(422, {"error": {"pointer": "/completions/1/span", "reason": "too long"}}))
    ids = tokenizer().encode(saying_why("No")).ids
    found = faults(vllm, request("Yes"), request("No"), request("Yes"), request("No", completion_token_ids=ids))
    assert found == [(1, ("completion",), "too long"), (3, ("completion_token_ids",), "too long")]


def test_a_refused_prompt_is_named_in_every_request_that_has_it(vllm: FaultyVllm) -> None:
    vllm.always(MEASURE, status(422, {"error": {"pointer": "/prompt_token_ids/3", "reason": "no such id"}}))
    ids = tokenizer().encode("What next?").ids
    found = faults(vllm, request("Yes"), request("No", None, prompt_token_ids=ids))
    assert found == [(0, ("prompt",), "no such id"), (1, ("prompt_token_ids",), "no such id")]


def test_a_prompt_beyond_the_models_length_is_refused_with_both_lengths_and_nothing_is_sent(vllm: FaultyVllm) -> None:
    ((index, path, reason),) = faults(vllm, request(), request("Yes", prompt="x" * LONGEST))
    assert (index, path) == (1, ("prompt",))
    assert str(LONGEST + START + 3) in reason
    assert str(LONGEST) in reason
    assert vllm.count(MEASURE) == 0


def test_an_id_outside_the_vocabulary_and_half_a_character_are_refused(vllm: FaultyVllm) -> None:
    found = faults(
        vllm,
        request(prompt_token_ids=[1, VOCAB_SIZE]),
        request(completion_token_ids=[VOCAB_SIZE]),
        request(prompt="\ud800"),
    )
    assert [(index, path) for index, path, _ in found] == [
        (0, ("prompt_token_ids", 1)),
        (1, ("completion_token_ids",)),
        (2, ("prompt",)),
    ]
