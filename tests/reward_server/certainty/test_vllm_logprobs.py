"""The source `vllm-logprobs`: what it asks a stock vLLM, what it makes of its rows, and which faults it tells apart."""

import asyncio
import json
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import pytest

from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import (
    Certainty,
    EvidenceError,
    Kind,
    Model,
    RationaleRequest,
    SourceError,
    SourceMismatch,
    SourceUnavailable,
    TokensRead,
)
from reward_server.certainty.vllm_logprobs import VllmLogprobsSource
from tests.reward_server.certainty.faulty_vllm import (
    COMPLETIONS,
    DETOKENIZE,
    LONGEST,
    MODELS,
    VOCAB_SIZE,
    Act,
    Exchange,
    FaultyVllm,
    half_a_message,
    half_an_answer,
    hang,
    hang_up,
    running_vllm,
    saying,
    status,
    tokenizer,
    well,
)

START = len('{"rationale": "')
LONG = 3_600.0
"""Patience that no test waits for."""

# Every row of the server has p = ½ for token 0, and e⁻³⁰ for the row's own token, which is not the likeliest. For k = 1
# the tail is ½: spread over the other V − 1 tokens, or one token of ½.
LOWER = log(VOCAB_SIZE) - (0.5 * log(2) + 0.5 * log(2 * (VOCAB_SIZE - 1)))
UPPER = log(VOCAB_SIZE) - log(2)


@pytest.fixture
def vllm() -> Iterator[FaultyVllm]:
    with running_vllm() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"vocab_size": VOCAB_SIZE, "max_position_embeddings": LONGEST}))
    return folder


def request(rationale: str = "Yes", prompt: str | None = "What next?", **fields: Any) -> RationaleRequest:
    return RationaleRequest(f'{{"rationale": "{rationale}", "action": {{"type": "terminate"}}}}', prompt, **fields)


def with_source(vllm: FaultyVllm, folder: Path, work: Any, **more: Any) -> Any:
    """What `work(source)` comes to, of a source for the model in the folder, which the server says it has."""

    async def run() -> Any:
        given = {"model": str(folder), "patience": LONG, "top_k": 1} | more
        source = VllmLogprobsSource(SourceOptions(url=vllm.url, **given))
        try:
            return await work(source)
        finally:
            await source.close()

    vllm.card = vllm.card | {"root": str(folder)}
    return asyncio.run(run())


def measure(
    vllm: FaultyVllm, folder: Path, *requests: RationaleRequest, kind: Kind = "kl_to_uniform", **more: Any
) -> list[Certainty]:
    certainties: list[Certainty] = with_source(vllm, folder, lambda source: source.measure(requests, kind), **more)
    return certainties


def failure(vllm: FaultyVllm, folder: Path, *requests: RationaleRequest, **more: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        measure(vllm, folder, *(requests or (request(),)), **more)
    return caught.value


def text_of(message: dict[str, Any]) -> str:
    return tokenizer().decode(message["prompt"])


def test_each_rationale_is_asked_for_once_after_its_prompt_and_up_to_its_end(vllm: FaultyVllm, folder: Path) -> None:
    requests = [request("Yes"), request("No"), request("Yes"), request("Yes", "Now?"), request("Yes", None)]
    answers = measure(vllm, folder, *requests)
    assert [answer.tokens for answer in answers] == [3, 2, 3, 3, 3]
    assert [answer.context for answer in answers] == [True, True, True, True, False]
    assert sorted(map(text_of, vllm.messages(COMPLETIONS))) == sorted(
        ['What next?{"rationale": "Yes', 'What next?{"rationale": "No', 'Now?{"rationale": "Yes', '{"rationale": "Yes']
    )
    for message in vllm.messages(COMPLETIONS):
        settings = {name: value for name, value in message.items() if name != "prompt"}
        assert settings == {"model": "policy", "max_tokens": 1, "temperature": 0, "prompt_logprobs": 1}


def test_an_empty_batch_asks_nothing(vllm: FaultyVllm, folder: Path) -> None:
    assert measure(vllm, folder) == []
    assert vllm.seen == []


def test_the_bounds_are_those_of_the_k_likeliest_and_the_value_their_midpoint(vllm: FaultyVllm, folder: Path) -> None:
    (answer,) = measure(vllm, folder, request())
    assert (answer.lower, answer.upper) == pytest.approx((LOWER, UPPER))
    assert answer.value == pytest.approx((LOWER + UPPER) / 2)
    assert answer[3:] == (3, "kl_to_uniform", "vllm-logprobs", str(folder), None, None, True)


def test_the_kind_over_the_vocabulary_is_divided_by_its_size(vllm: FaultyVllm, folder: Path) -> None:
    (answer,) = measure(vllm, folder, request(), kind="kl_to_uniform_over_vocab")
    assert (answer.lower, answer.upper) == pytest.approx((LOWER / VOCAB_SIZE, UPPER / VOCAB_SIZE))


def test_row_i_belongs_to_token_i(vllm: FaultyVllm, folder: Path) -> None:
    """The rationale's rows, and no others, are those of a model that is sure."""

    def sure_of_yes(exchange: Exchange) -> None:
        message = json.loads(exchange.vllm.good_answer(exchange))
        rows = message["choices"][0]["prompt_logprobs"]
        for place in range(len("What next?") + START, len(rows)):
            rows[place]["0"]["logprob"] = 0.0
        exchange.answer(200, json.dumps(message).encode())

    vllm.always(COMPLETIONS, sure_of_yes)
    (answer,) = measure(vllm, folder, request())
    assert (answer.lower, answer.upper) == pytest.approx((log(VOCAB_SIZE), log(VOCAB_SIZE)))


def test_the_rows_own_token_does_not_count_where_it_is_not_among_the_k_likeliest(
    vllm: FaultyVllm, folder: Path
) -> None:
    """With k = 2 and p = ½ twice nothing is left to be uncertain of: H = ln 2."""
    half = {"logprob": log(0.5), "rank": 1, "decoded_token": "x"}
    vllm.row = {"0": half, "1": half}
    (answer,) = measure(vllm, folder, request(), top_k=2)
    assert (answer.lower, answer.upper) == pytest.approx((UPPER, UPPER))


def test_the_rows_own_token_counts_where_it_is_the_likeliest(vllm: FaultyVllm, folder: Path) -> None:
    """The exclamation mark is token 0."""
    assert tokenizer().token_to_id("!") == 0
    (answer,) = measure(vllm, folder, request("!!!"))
    assert (answer.lower, answer.upper) == pytest.approx((LOWER, UPPER))


def test_tokens_read_are_all_computed(vllm: FaultyVllm, folder: Path) -> None:
    async def read(source: VllmLogprobsSource) -> TokensRead:
        await source.measure([request(), request("No")], "kl_to_uniform")
        return source.tokens_read

    assert with_source(vllm, folder, read) == TokensRead(2 * (10 + START) + 3 + 2, 0)


def test_no_more_rationales_are_measured_at_once_than_allowed(vllm: FaultyVllm, folder: Path) -> None:
    def slow(exchange: Exchange) -> None:
        exchange.vllm.ended.wait(0.05)
        well(exchange)

    vllm.always(COMPLETIONS, slow)
    assert len(measure(vllm, folder, *(request("a" * (n + 1)) for n in range(12)), concurrency=3)) == 12
    assert vllm.most_at_once == 3


def test_a_model_has_to_be_named() -> None:
    with pytest.raises(SourceError, match="REWARD_CERTAINTY_MODEL"):
        VllmLogprobsSource(SourceOptions())


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({}, "tokenizer.json"),
        ({"tokenizer.json": "{}"}, "tokenizer.json"),
        ({"tokenizer.json": tokenizer().to_str()}, "config.json"),
        ({"tokenizer.json": tokenizer().to_str(), "config.json": "[]"}, "config.json"),
        ({"tokenizer.json": tokenizer().to_str(), "config.json": "{}"}, "vocab_size"),
    ],
    ids=["nothing", "no tokenizer", "no config", "a list", "no vocab_size"],
)
def test_a_folder_without_what_is_needed_is_refused_at_once(tmp_path: Path, files: dict[str, str], word: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=word):
        VllmLogprobsSource(SourceOptions(str(tmp_path)))


def test_a_model_that_is_no_folder_and_no_id_is_refused_at_once() -> None:
    with pytest.raises(SourceError, match="no/such/model"):
        VllmLogprobsSource(SourceOptions("no/such/model"))


def test_the_vocabulary_of_a_model_that_also_sees_is_its_texts(tmp_path: Path, vllm: FaultyVllm) -> None:
    tokenizer().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {"vocab_size": VOCAB_SIZE}}))
    (answer,) = measure(vllm, tmp_path, request())
    assert answer.upper == pytest.approx(UPPER)


def test_the_revision_is_the_one_that_was_set(vllm: FaultyVllm, folder: Path) -> None:
    async def model(source: VllmLogprobsSource) -> Model:
        return source.model

    assert with_source(vllm, folder, model, revision="step-1") == Model(str(folder), "step-1", None)


@pytest.mark.parametrize("card", [{"root": "/other"}, {"root": None}])
def test_another_model_is_a_mismatch_naming_both(vllm: FaultyVllm, folder: Path, card: dict[str, object]) -> None:
    async def work(source: VllmLogprobsSource) -> None:
        vllm.card = vllm.card | card
        for attempt in (source.measure([request()], "kl_to_uniform"), source.check()):
            with pytest.raises(SourceMismatch, match="policy") as caught:
                await attempt
            assert str(folder) in str(caught.value)

    with_source(vllm, folder, work)
    assert vllm.count(COMPLETIONS) == 0


def test_another_tokenizer_than_the_models_is_a_mismatch(vllm: FaultyVllm, folder: Path) -> None:
    vllm.tokenizer = tokenizer(backwards=True).to_str()
    error = failure(vllm, folder)
    assert isinstance(error, SourceMismatch)
    assert "another tokenizer" in str(error)
    assert vllm.count(COMPLETIONS) == 0


def test_a_tokenizer_that_changes_in_the_middle_of_a_batch_is_a_mismatch(vllm: FaultyVllm, folder: Path) -> None:
    def restarted(exchange: Exchange) -> None:
        vllm.tokenizer = tokenizer(backwards=True).to_str()
        well(exchange)

    vllm.script(COMPLETIONS, restarted)
    assert isinstance(failure(vllm, folder), SourceMismatch)


def test_a_model_is_known_by_its_served_name_too(vllm: FaultyVllm, folder: Path) -> None:
    vllm.card["id"] = str(folder)
    assert len(measure(vllm, folder, request())) == 1
    assert vllm.messages(COMPLETIONS)[0]["model"] == str(folder)


def test_a_model_that_changes_in_the_middle_of_a_batch_has_it_measured_again(vllm: FaultyVllm, folder: Path) -> None:
    def restarted(exchange: Exchange) -> None:
        vllm.card = vllm.card | {"id": str(folder), "root": "/checkpoints/step-2"}
        well(exchange)

    vllm.script(COMPLETIONS, restarted)
    measure(vllm, folder, request(), request("No"), concurrency=1)
    assert [message["model"] for message in vllm.messages(COMPLETIONS)] == ["policy"] * 2 + [str(folder)] * 2


def test_a_text_beyond_the_models_length_is_refused_with_both_lengths(vllm: FaultyVllm, folder: Path) -> None:
    """vLLM has to have room for one more token, which it generates."""
    fits = LONGEST - 1 - START - 3
    assert len(measure(vllm, folder, request(prompt="x" * fits))) == 1
    with pytest.raises(EvidenceError) as caught:
        measure(vllm, folder, request(), request(prompt="x" * (fits + 1)))
    ((index, path),) = [(fault.index, fault.path) for fault in caught.value.faults]
    assert (index, path) == (1, ("prompt",))
    assert f"{LONGEST}, more than the {LONGEST - 1}" in str(caught.value)


@pytest.mark.parametrize("route", [MODELS, DETOKENIZE, COMPLETIONS])
@pytest.mark.parametrize(
    "fault",
    [status(500), status(503, Retry_After="0"), status(429), hang_up, half_an_answer, half_a_message],
    ids=["500", "503", "429", "hangs up", "half an answer", "half a message"],
)
def test_a_fault_that_passes_is_waited_for(vllm: FaultyVllm, folder: Path, route: str, fault: Act) -> None:
    vllm.script(route, fault, fault)
    (answer,) = measure(vllm, folder, request())
    assert answer.upper == pytest.approx(UPPER)


@pytest.mark.parametrize("route", [MODELS, DETOKENIZE, COMPLETIONS])
def test_a_server_that_hangs_is_waited_for_until_patience_ends(vllm: FaultyVllm, folder: Path, route: str) -> None:
    vllm.always(route, hang)
    assert isinstance(failure(vllm, folder, patience=0.5), SourceUnavailable)


def test_more_logprobs_than_the_server_tells_name_the_setting(vllm: FaultyVllm, folder: Path) -> None:
    message = "Requested prompt logprobs of 50, which is greater than max allowed: 20"
    vllm.always(COMPLETIONS, status(400, {"error": {"message": message, "type": "BadRequestError", "code": 400}}))
    error = failure(vllm, folder, top_k=50)
    assert type(error) is SourceError
    assert "REWARD_VLLM_TOP_K" in str(error)
    assert "max allowed: 20" in str(error)
    assert vllm.count(COMPLETIONS) == 1


def test_never_more_logprobs_are_asked_for_than_there_are_tokens(vllm: FaultyVllm, folder: Path) -> None:
    vllm.always(COMPLETIONS, status(418))
    failure(vllm, folder, top_k=VOCAB_SIZE + 1)
    assert vllm.messages(COMPLETIONS)[0]["prompt_logprobs"] == VOCAB_SIZE


def with_rows(change: Any) -> Act:
    """Answer well, but for what `change` does to the rows."""

    def act(exchange: Exchange) -> None:
        message = json.loads(exchange.vllm.good_answer(exchange))
        rows = message["choices"][0]["prompt_logprobs"]
        message["choices"][0]["prompt_logprobs"] = change(rows)
        exchange.answer(200, json.dumps(message).encode())

    return act


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (with_rows(lambda rows: rows[1:]), "27 rows"),
        (with_rows(lambda rows: None), "prompt_logprobs"),
        (with_rows(lambda rows: [None] * len(rows)), "row"),
        (with_rows(lambda rows: [rows[1]] * len(rows)), "own token"),
        (with_rows(lambda rows: [{}] * len(rows)), "own token"),
        (with_rows(lambda rows: [row and row | {"0": {"logprob": float("nan")}} for row in rows]), "finite"),
        (with_rows(lambda rows: [row and row | {"0": {"logprob": 0.5}} for row in rows]), "no distribution"),
        (with_rows(lambda rows: [row and row | {"0": {}} for row in rows]), "row"),
        (saying(b'{"choices": []}'), "choices"),
        (saying(b" " * (2**20 + 28 * 2 * 256 + 1)), "more than"),
        (status(418), "418"),
        (status(401), "REWARD_VLLM_API_KEY"),
    ],
    ids=[
        "a row short",
        "no rows",
        "empty rows",
        "another token's rows",
        "rows without logprobs",
        "NaN",
        "above 0",
        "no logprob",
        "no choice",
        "too large",
        "418",
        "401",
    ],
)
def test_an_answer_that_cannot_be_right_fails_at_once(vllm: FaultyVllm, folder: Path, act: Act, word: str) -> None:
    vllm.always(COMPLETIONS, act)
    error = failure(vllm, folder)
    assert type(error) is SourceError
    assert word in str(error)
    assert vllm.count(COMPLETIONS) == 1
