"""The source `local`: exact certainties from a model in this process, beside transformers in double precision."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from tokenizers import Tokenizer

from reward_server.certainty.local import LocalSource
from reward_server.certainty.model_files import DEMO_MODEL, is_demo_model
from reward_server.certainty.source import (
    Certainty,
    EvidenceError,
    Kind,
    RationaleRequest,
)
from tests.reward_server.certainty.local_support import CHEAP, PROMPT, measured, said
from tests.reward_server.certainty.reference import by_the_book, of_the_rationale
from tests.reward_server.certainty.tiny_models import LONGEST, Architecture

LONG_PROMPT = PROMPT * 100
"""More tokens than are read at once."""
NATS = 1e-4
"""What single precision may cost."""


LONG = said("I want a small and cheap rice cooker. " * 30)
"""More tokens than are measured at once."""


def refused(source: LocalSource, *requests: RationaleRequest) -> list[tuple[int, tuple[str | int, ...], str]]:
    with pytest.raises(EvidenceError) as caught:
        measured(source, *requests)
    return [(fault.index, fault.path, fault.reason) for fault in caught.value.faults]


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("prompt", ["", PROMPT, LONG_PROMPT], ids=["no prompt", "prompt", "long prompt"])
def test_a_certainty_is_that_of_one_pass_over_the_whole_text_in_double_precision(
    architecture: str, prompt: str, folders: dict[str, Path], sources: dict[str, LocalSource], tokenizer: Tokenizer
) -> None:
    completions = [CHEAP, LONG]
    answers = measured(sources[architecture], *(RationaleRequest(text, prompt) for text in completions))
    for completion, answer in zip(completions, answers, strict=True):
        value, tokens = of_the_rationale(folders[architecture], prompt, completion)
        assert answer.value == pytest.approx(value, abs=NATS)
        assert answer.tokens == tokens
        assert (answer.lower, answer.upper) == (answer.value, answer.value)
        assert answer.context is bool(prompt)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_all_three_kinds_are_told(
    kind: Kind, folders: dict[str, Path], source: LocalSource, tokenizer: Tokenizer
) -> None:
    (answer,) = measured(source, RationaleRequest(CHEAP, PROMPT), kind=kind)
    value, _ = of_the_rationale(folders["qwen2"], PROMPT, CHEAP, kind)
    assert answer.kind == kind
    assert answer.value == pytest.approx(value, abs=NATS / 512 if kind == "kl_to_uniform_over_vocab" else NATS)
    assert source.kinds == set(get_args(Kind))


def test_a_value_does_not_depend_on_what_else_is_asked(source: LocalSource) -> None:
    requests = [
        *(
            RationaleRequest(completion, prompt)
            for completion in (CHEAP, LONG)
            for prompt in (PROMPT, LONG_PROMPT, None)
        ),
        RationaleRequest(said("It fits."), PROMPT),
        RationaleRequest(CHEAP, PROMPT),
    ]
    together = measured(source, *requests)
    assert together == [measured(source, request)[0] for request in requests]
    assert measured(source, *requests[::-1]) == together[::-1]
    assert together[0] == together[-1] != together[1]


def test_an_empty_batch_has_no_certainties(source: LocalSource) -> None:
    assert measured(source) == []


def test_tokens_win_over_texts(source: LocalSource, folders: dict[str, Path], tokenizer: Tokenizer) -> None:
    # 500 is an id of the model's that its tokenizer has no text for; one token a character is not how it would write.
    before = [500, *tokenizer.encode(PROMPT).ids]
    letter_by_letter = [tokenizer.encode(character).ids[0] for character in CHEAP]
    request = RationaleRequest(CHEAP, "another prompt", before, letter_by_letter)
    (answer,) = measured(source, request)
    start, end = CHEAP.index("I want"), CHEAP.index('", "action"')
    values = by_the_book(folders["qwen2"], before, letter_by_letter, "kl_to_uniform")[start:end]
    assert answer.tokens == end - start
    assert answer.value == pytest.approx(sum(values) / len(values), abs=NATS)


def test_every_request_at_fault_is_named_with_its_field(source: LocalSource, tokenizer: Tokenizer) -> None:
    faults = refused(
        source,
        RationaleRequest(CHEAP, PROMPT),
        RationaleRequest(CHEAP, prompt_token_ids=[1, 512]),
        RationaleRequest(CHEAP, PROMPT, completion_token_ids=[1, 2, 3]),
        RationaleRequest(CHEAP, PROMPT, completion_token_ids=[512]),
        RationaleRequest(CHEAP, "half a pair: \ud83d"),
        RationaleRequest(CHEAP, PROMPT * 1000),
    )
    assert [(index, path) for index, path, _ in faults] == [
        (1, ("prompt_token_ids", 1)),
        (2, ("completion_token_ids",)),
        (3, ("completion_token_ids",)),
        (4, ("prompt",)),
        (5, ("prompt",)),
    ]
    assert "vocabulary of 512" in faults[0][2]
    assert "Unicode" in faults[3][2]
    assert str(len(tokenizer.encode(PROMPT * 1000).ids)) in faults[4][2]
    assert str(LONGEST) in faults[4][2]


def test_a_text_may_be_as_long_as_the_model_reads_and_no_longer(source: LocalSource, tokenizer: Tokenizer) -> None:
    end = CHEAP.index('", "action"')
    needed = sum(low < end for low, _ in tokenizer.encode(CHEAP).offsets)
    longest = [7] * (LONGEST - needed)
    assert measured(source, RationaleRequest(CHEAP, prompt_token_ids=longest))[0].tokens > 0
    ((_, path, _),) = refused(source, RationaleRequest(CHEAP, prompt_token_ids=[*longest, 7]))
    assert path == ("prompt_token_ids",)


def test_no_length_that_a_tokenizer_was_saved_with_cuts_a_text(
    source: LocalSource, changed: Callable[[Callable[[Path], object]], str]
) -> None:
    def limit(folder: Path) -> None:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(8)
        tokenizer.enable_padding(length=64)
        tokenizer.save(str(folder / "tokenizer.json"))

    request = RationaleRequest(CHEAP, PROMPT)
    (limited,) = measured(LocalSource(changed(limit)), request)
    assert limited.value == measured(source, request)[0].value


def test_measuring_leaves_the_event_loop_to_others_and_two_at_once_give_what_each_gives_alone(
    source: LocalSource,
) -> None:
    requests = [RationaleRequest(LONG, LONG_PROMPT), RationaleRequest(CHEAP, PROMPT)]
    alone = [measured(source, request) for request in requests]

    async def both() -> tuple[list[list[Certainty]], int]:
        tasks = [asyncio.create_task(source.measure([request], "kl_to_uniform")) for request in requests]
        turns = 0
        while not all(task.done() for task in tasks):
            turns += 1
            await asyncio.sleep(0)
        return [task.result() for task in tasks], turns

    together, turns = asyncio.run(both())
    assert together == alone
    # A loop that is held has three turns at most: one for each task, and the last.
    assert turns > 10


def test_a_caller_who_leaves_does_not_keep_others_from_measuring(source: LocalSource) -> None:
    request = RationaleRequest(CHEAP, PROMPT)
    expected = measured(source, request)

    async def leave() -> list[Certainty]:
        slow = RationaleRequest(LONG, LONG_PROMPT)
        leaving = [asyncio.create_task(source.measure([slow], "kl_to_uniform")) for _ in range(3)]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        ended = await asyncio.gather(*leaving, return_exceptions=True)
        assert [type(outcome) for outcome in ended] == [asyncio.CancelledError] * 3
        return await source.measure([request], "kl_to_uniform")

    assert asyncio.run(leave()) == expected


def test_a_model_says_which_weights_it_has_and_since_when(folders: dict[str, Path], source: LocalSource) -> None:
    weights = (folders["qwen2"] / "model.safetensors").read_bytes()
    assert source.model.name == str(folders["qwen2"])
    assert source.model.revision == f"sha256:{hashlib.sha256(weights).hexdigest()}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", source.model.loaded_at or "")
    (answer,) = measured(source, RationaleRequest(CHEAP, PROMPT))
    assert (answer.model, answer.revision, answer.loaded_at) == source.model
    assert answer.source == "local"


def test_the_prompt_of_a_batch_is_read_once(source: LocalSource, tokenizer: Tokenizer) -> None:
    completions = [CHEAP, said("It fits.")]
    before = source.tokens_read
    measured(source, *(RationaleRequest(completion, PROMPT) for completion in (*completions, CHEAP)))
    prompt = len(tokenizer.encode(PROMPT).ids)
    # Nothing is predicted from the rationale's last token, so that is not read, nor what follows it.
    read = [
        sum(low < completion.index('", "action"') for low, _ in tokenizer.encode(completion).offsets) - 1
        for completion in completions
    ]
    assert source.tokens_read.computed - before.computed == prompt + sum(read)
    assert source.tokens_read.cached - before.cached == prompt


def test_the_demo_model_is_told_from_others(folders: dict[str, Path]) -> None:
    assert is_demo_model(None)
    assert is_demo_model(str(DEMO_MODEL))
    assert not is_demo_model(str(folders["qwen2"]))
    assert not is_demo_model("Qwen/Qwen2.5-0.5B-Instruct")


def test_a_text_is_told_token_by_token(folders: dict[str, Path], source: LocalSource, tokenizer: Tokenizer) -> None:
    text = "I want a 🙂 cooker"
    told = source.by_token(text, PROMPT, "kl_to_uniform", rationale=False)
    encoding = tokenizer.encode(text)
    assert "".join(told.pieces) == text
    # The tokenizer has not seen the emoji: it is four bytes, of which the first has it all.
    assert told.pieces == ["I", " want", " a", " ", "🙂", "", "", "", " cooker"]
    by_token = by_the_book(folders["qwen2"], tokenizer.encode(PROMPT).ids, encoding.ids, "kl_to_uniform")
    assert told.values == pytest.approx(by_token, abs=NATS)
    assert (told.start, told.end) == (0, len(encoding.ids))
    assert told.mean == pytest.approx(sum(by_token) / len(by_token), abs=NATS)


def test_without_a_prompt_the_first_token_has_no_certainty(
    folders: dict[str, Path], source: LocalSource, tokenizer: Tokenizer
) -> None:
    told = source.by_token("I want a cooker", "", "kl_to_uniform", rationale=False)
    by_token = by_the_book(folders["qwen2"], [], tokenizer.encode("I want a cooker").ids, "kl_to_uniform")
    assert told.values[0] is None
    assert told.values[1:] == pytest.approx(by_token, abs=NATS)
    assert told.mean == pytest.approx(sum(by_token) / len(by_token), abs=NATS)
    assert source.by_token("I", "", "kl_to_uniform", rationale=False).mean == 0


def test_of_a_completion_the_mean_is_the_rationales(source: LocalSource) -> None:
    told = source.by_token(CHEAP, PROMPT, "kl_to_uniform", rationale=True)
    (answer,) = measured(source, RationaleRequest(CHEAP, PROMPT))
    assert told.mean == pytest.approx(answer.value, abs=NATS)
    assert len(told.counted) == answer.tokens
    assert "".join(told.pieces[told.start : told.end]).startswith("I want a cheap rice cooker.")


@pytest.mark.parametrize(("text", "word"), [("", "no tokens"), ("cooker " * 9000, str(LONGEST))])
def test_a_text_without_tokens_or_with_too_many_is_refused(text: str, word: str, source: LocalSource) -> None:
    with pytest.raises(EvidenceError, match=word):
        source.by_token(text, PROMPT, "kl_to_uniform", rationale=False)
