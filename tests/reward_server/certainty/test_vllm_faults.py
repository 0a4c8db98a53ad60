"""The source `vllm` and every fault a server can have: those that pass are waited for, the others told at once."""

import asyncio
from collections.abc import Iterator
from threading import Timer

import pytest

from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import (
    SourceError,
    SourceMismatch,
    SourceUnavailable,
)
from reward_server.certainty.vllm import PROTOCOL, VllmSource
from reward_server.vllm_plugin import messages
from tests.reward_server.certainty.faulty_vllm import (
    ABOUT,
    MEASURE,
    TOKENIZER,
    Act,
    Exchange,
    FaultyVllm,
    answering,
    flood,
    free_port,
    half_a_message,
    half_an_answer,
    hang,
    hang_up,
    running_vllm,
    saying,
    status,
    well,
    with_result,
)
from tests.reward_server.certainty.vllm_support import (
    LONG,
    bytes_of,
    expected,
    failure,
    measure,
    options,
    request,
    with_source,
)


@pytest.fixture
def vllm() -> Iterator[FaultyVllm]:
    with running_vllm() as running:
        yield running


@pytest.mark.parametrize("route", [ABOUT, TOKENIZER, MEASURE])
@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(502),
        status(503, Retry_After="0"),
        status(503, Retry_After="Sat, 21 Nov 2026 07:30:00 GMT"),
        status(429, Retry_After="-1"),
        hang_up,
        half_an_answer,
        half_a_message,
        saying(b""),
    ],
    ids=["500", "502", "503", "503 until a date", "429", "hangs up", "half an answer", "half a message", "nothing"],
)
def test_a_fault_that_passes_is_waited_for(vllm: FaultyVllm, route: str, fault: Act) -> None:
    vllm.script(route, fault, fault)
    (answer,) = measure(vllm, request("Yes"))
    assert answer.value == pytest.approx(expected("Yes"))
    assert vllm.count(route) == 3


def test_a_server_that_starts_later_is_waited_for() -> None:
    port = free_port()
    started: list[FaultyVllm] = []
    Timer(0.3, lambda: started.append(FaultyVllm(port))).start()
    given = SourceOptions(url=f"http://127.0.0.1:{port}", patience=LONG)
    (answer,) = with_source(given, lambda source: source.measure([request("Yes")], "kl_to_uniform"))
    assert answer.value == pytest.approx(expected("Yes"))
    started[0].stop()


def test_a_server_that_is_gone_is_waited_for_until_patience_ends() -> None:
    given = SourceOptions(url=f"http://127.0.0.1:{free_port()}", patience=0.3)
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1.*0\.3 s \(REWARD_PATIENCE\).*ConnectError"):
        with_source(given, lambda source: source.measure([request()], "kl_to_uniform"))


@pytest.mark.parametrize("route", [ABOUT, TOKENIZER, MEASURE])
def test_a_server_that_hangs_is_waited_for_until_patience_ends(vllm: FaultyVllm, route: str) -> None:
    vllm.always(route, hang)
    error = failure(vllm, patience=0.5)
    assert isinstance(error, SourceUnavailable)
    assert "answers nothing" in str(error)


def test_what_went_wrong_last_is_told_when_patience_ends(vllm: FaultyVllm) -> None:
    reason = {"error": {"pointer": "", "reason": "the weights are\x1b[2J being reloaded"}}
    vllm.always(MEASURE, status(503, reason))
    error = failure(vllm, patience=0.5)
    assert isinstance(error, SourceUnavailable)
    assert "status 503: the weights are [2J being reloaded" in str(error)
    assert vllm.count(MEASURE) > 1


def test_a_server_is_not_asked_again_before_the_time_it_named(vllm: FaultyVllm) -> None:
    vllm.always(MEASURE, status(503, Retry_After="60"))
    assert isinstance(failure(vllm, patience=1), SourceUnavailable)
    assert vllm.count(MEASURE) == 1


def test_waiting_for_ones_turn_counts_too(vllm: FaultyVllm) -> None:
    vllm.always(MEASURE, hang)
    requests = [request(prompt=str(number)) for number in range(5)]
    assert isinstance(failure(vllm, *requests, patience=0.5, concurrency=1), SourceUnavailable)
    assert vllm.count(MEASURE) == 1


def test_a_check_waits_for_nobody(vllm: FaultyVllm) -> None:
    """Not for as long as a batch would: it is what probes of the server's health hang on."""
    vllm.script(ABOUT, hang, status(500))
    for words in ("did not answer", "500"):
        with pytest.raises(SourceUnavailable, match=words):
            with_source(options(vllm), lambda source: source.check())
    with_source(options(vllm), lambda source: source.check())


def test_a_check_gets_through_while_all_slots_are_taken(vllm: FaultyVllm) -> None:
    vllm.always(MEASURE, hang)

    async def busy(source: VllmSource) -> None:
        measuring = asyncio.gather(*(source.measure([request(prompt=str(n))], "kl_to_uniform") for n in range(9)))
        while vllm.count(MEASURE) < 2:
            await asyncio.sleep(0.01)
        await source.check()
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)

    with_source(options(vllm, concurrency=2), busy)


@pytest.mark.parametrize("route", [ABOUT, TOKENIZER, MEASURE])
@pytest.mark.parametrize("code", [401, 403])
def test_a_key_that_is_refused_is_not_tried_again(vllm: FaultyVllm, route: str, code: int) -> None:
    vllm.always(route, status(code))
    error = failure(vllm, api_key="secret-key")
    assert type(error) is SourceError
    assert "REWARD_VLLM_API_KEY" in str(error)
    assert vllm.count(route) == 1


def test_the_key_is_sent_to_every_route_and_told_nobody_else(vllm: FaultyVllm) -> None:
    vllm.always(MEASURE, status(500, {"error": {"message": "bad header: Bearer sëcret-key"}}))
    error = failure(vllm, api_key="sëcret-key", patience=0.5)
    assert "status 500: bad header" in str(error)
    assert "cret-key" not in str(error)
    assert "cret-key" not in repr(options(vllm, api_key="sëcret-key"))
    sent = {(exchange.authorization or "").encode("latin-1").decode() for exchange in vllm.seen}
    assert sent == {"Bearer sëcret-key"}
    assert len({exchange.route for exchange in vllm.seen}) == 3


@pytest.mark.parametrize("key", ["with\nnewline", "trailing ", "\x00"])
def test_a_key_that_no_header_can_carry_is_refused_at_once_and_not_shown(key: str) -> None:
    with pytest.raises(SourceError, match="REWARD_VLLM_API_KEY") as caught:
        VllmSource(SourceOptions(api_key=key))
    assert key not in str(caught.value)


def test_a_url_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(SourceError, match="REWARD_VLLM_URL"):
        VllmSource(SourceOptions(url="http://\x00"))


def test_a_password_in_the_url_is_not_shown() -> None:
    given = SourceOptions(url=f"http://me:hunter2@127.0.0.1:{free_port()}", patience=0.2)
    with pytest.raises(SourceUnavailable) as caught:
        with_source(given, lambda source: source.measure([request()], "kl_to_uniform"))
    assert "hunter2" not in str(caught.value)


def test_a_vllm_without_the_plugin_is_a_mismatch_that_says_what_to_do(vllm: FaultyVllm) -> None:
    vllm.always(ABOUT, status(404))
    error = failure(vllm)
    assert isinstance(error, SourceMismatch)
    assert "plugin" in str(error)
    assert "vllm-logprobs" in str(error)
    with pytest.raises(SourceMismatch):
        with_source(options(vllm), lambda source: source.check())


def test_a_plugin_of_another_protocol_is_a_mismatch_whatever_else_it_says(vllm: FaultyVllm) -> None:
    vllm.always(ABOUT, saying(b'{"protocol": 2, "plugin": "0.9.0", "served": []}'))
    error = failure(vllm)
    assert isinstance(error, SourceMismatch)
    assert "plugin 0.9.0" in str(error)
    assert "version 2" in str(error)
    assert "speaks version 1" in str(error)


def test_the_protocol_is_the_plugins() -> None:
    assert PROTOCOL == messages.PROTOCOL


@pytest.mark.parametrize("fields", [{"protocol": "one"}, {"vocab_size": "many"}, {"loaded_at": "yesterday"}], ids=str)
def test_a_plugin_that_tells_nonsense_is_refused_by_the_field(vllm: FaultyVllm, fields: dict[str, object]) -> None:
    vllm.always(ABOUT, answering(**fields))
    error = failure(vllm)
    assert type(error) is SourceError
    assert next(iter(fields)) in str(error)


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ({"model": "Qwen/Qwen2.5-3B-Instruct"}, ("policy", "Qwen/Qwen2.5-3B-Instruct")),
        ({"model": "policy", "revision": "step-2"}, ("step-1", "step-2")),
        ({"revision": "step-2"}, ("step-1", "step-2")),
    ],
    ids=["model", "revision of the model", "revision"],
)
def test_another_model_than_the_one_wanted_is_a_mismatch_naming_both(
    vllm: FaultyVllm, wanted: dict[str, str], shown: tuple[str, str]
) -> None:
    error = failure(vllm, **wanted)
    assert isinstance(error, SourceMismatch)
    assert all(name in str(error) for name in shown)
    assert vllm.count(MEASURE) == 0


@pytest.mark.parametrize("model", ["policy", "/models/qwen"])
def test_the_model_is_known_by_its_served_name_and_by_its_path(vllm: FaultyVllm, model: str) -> None:
    assert len(measure(vllm, request(), model=model, revision="step-1")) == 1


@pytest.mark.parametrize("revision", ["main", "step-1"])
def test_a_revision_is_known_by_its_commit_and_by_the_branch_that_was_asked_for(
    vllm: FaultyVllm, revision: str
) -> None:
    vllm.always(ABOUT, answering(requested_revision="main"))
    (result,) = measure(vllm, request(), revision=revision)
    assert result.revision == "step-1"


def test_a_model_that_turns_into_another_is_a_mismatch_from_then_on(vllm: FaultyVllm) -> None:
    async def change(source: VllmSource) -> None:
        await source.measure([request()], "kl_to_uniform")
        vllm.weights = vllm.weights | {"revision": "step-2"}
        for _ in range(2):
            with pytest.raises(SourceMismatch, match="step-2"):
                await source.measure([request()], "kl_to_uniform")

    with_source(options(vllm, revision="step-1"), change)


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (answering(results=[]), "0 results for 1"),
        (with_result(tokens=7), "7 tokens"),
        (with_result(kl_to_uniform=float("nan")), "nan"),
        (with_result(kl_to_uniform=float("inf")), "inf"),
        (with_result(kl_to_uniform=-0.1), "-0.1"),
        (with_result(kl_to_uniform=6.0), "300 tokens"),
        (with_result(kl_to_uniform="many"), "results.0.kl_to_uniform"),
        (answering(results=None), "results"),
        (saying(b"[]"), "object"),
        (status(418), "418"),
        (status(422, {"error": {"pointer": "/per_token", "reason": "no"}}), "no"),
        (status(422, {"error": {"pointer": "/completions/7/span", "reason": "no"}}), "no"),
        (saying(b" " * 2**17), "more than 66,560 bytes"),
        (flood, "more than 66,560 bytes"),
    ],
    ids=[
        "too few results",
        "other tokens",
        "NaN",
        "infinite",
        "negative",
        "over ln 300 = 5.7",
        "no number",
        "no results",
        "no object",
        "418",
        "our own fault",
        "no such completion",
        "more bytes than a result has",
        "no end of bytes",
    ],
)
def test_an_answer_that_cannot_be_right_fails_at_once(vllm: FaultyVllm, act: Act, word: str) -> None:
    vllm.always(MEASURE, act)
    error = failure(vllm, request("Yes"))
    assert type(error) is SourceError
    assert word in str(error)
    assert vllm.count(MEASURE) == 1


@pytest.mark.parametrize("value", [None, float("inf"), float("nan")])
def test_an_infinite_divergence_from_uniform_is_no_certainty(vllm: FaultyVllm, value: float | None) -> None:
    vllm.always(MEASURE, with_result(kl_from_uniform=value))
    assert type(failure(vllm, request("Yes"), kind="kl_from_uniform")) is SourceError
    (answer,) = measure(vllm, request("Yes"))
    assert answer.value == pytest.approx(expected("Yes"))


def test_a_tokenizer_that_cannot_be_read_is_named(vllm: FaultyVllm) -> None:
    vllm.tokenizer = "{}"
    assert "tokenizer" in str(failure(vllm))


def test_the_first_failure_ends_the_rest_of_the_batch(vllm: FaultyVllm) -> None:
    """Of eight prompts one is refused, while the others hang; patience would last an hour."""

    def one_of_many(exchange: Exchange) -> None:
        act = status(401) if bytes_of(exchange.message["prompt_token_ids"]) == "5" else hang
        act(exchange)

    vllm.always(MEASURE, one_of_many)
    assert "REWARD_VLLM_API_KEY" in str(failure(vllm, *(request(prompt=str(number)) for number in range(8))))


def test_a_batch_that_nobody_waits_for_any_more_leaves_nothing_running(vllm: FaultyVllm) -> None:
    vllm.always(MEASURE, hang)

    async def give_up(source: VllmSource) -> int:
        for _ in range(20):
            measuring = asyncio.create_task(source.measure([request(prompt=str(n)) for n in range(3)], "kl_to_uniform"))
            before = vllm.count(MEASURE)
            while vllm.count(MEASURE) < before + 2:
                await asyncio.sleep(0.005)
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)
        vllm.always(MEASURE, well)
        await source.measure([request()], "kl_to_uniform")
        return len(asyncio.all_tasks())

    assert with_source(options(vllm, concurrency=2), give_up) == 1


def test_a_cookie_that_no_header_can_carry_back_is_not_kept(vllm: FaultyVllm) -> None:
    vllm.script(ABOUT, status(500, Set_Cookie="caf\u00e9=\u00e9"))
    assert measure(vllm, request())
    assert vllm.count(ABOUT) == 2
