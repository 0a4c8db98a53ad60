"""Row lengths are those of the chat as OpenRLHF makes it, counted here by hand with the tokenizer alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

import reward_server.certainty
from trainer.openrlhf.checks.inputs import TrainingRow
from trainer.openrlhf.checks.lengths import Limit, check_lengths, limit_of, load_chat_tokenizer
from trainer.openrlhf.problems import InputError
from trainer.openrlhf.recipe.flags import Read

DEMO = Path(reward_server.certainty.__file__).parent / "demo_model"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_chat_tokenizer(str(DEMO))


def tokens(text: str) -> int:
    return len(Tokenizer.from_file(str(DEMO / "tokenizer.json")).encode(text, add_special_tokens=False).ids)


def chatml(messages: list[dict[str, str]]) -> str:
    return "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)


def prompt(words: int) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Shop."}, {"role": "user", "content": "page " * words}]


def rows(*chats: list[dict[str, str]]) -> Iterator[TrainingRow]:
    return (TrainingRow(line, line * 100, chat) for line, chat in enumerate(chats, 1))


def test_the_limit_is_what_is_left_for_the_prompt() -> None:
    flags = Read({"data.max_len": 32_768, "rollout.max_new_tokens": 512})
    assert limit_of(flags, "grpo").tokens == 32_256
    assert limit_of(flags, "sft").tokens == 32_768
    assert limit_of(Read({"data.max_len": 100, "rollout.max_new_tokens": None}), "grpo").tokens == 99


def test_a_prompt_may_be_as_long_as_the_limit_and_not_a_token_longer(tokenizer: Any) -> None:
    length = tokens(chatml(prompt(20)) + "<|im_start|>assistant\n")
    assert check_lengths(rows(prompt(20)), tokenizer, Limit(length, "x"), "grpo", "d", most=9) == 1
    with pytest.raises(
        InputError, match=rf"^data: 1 of 1 prompts in d .* {length - 1} tokens of x: line 1 \({length}\)"
    ):
        check_lengths(rows(prompt(20)), tokenizer, Limit(length - 1, "x"), "grpo", "d", most=9)


def test_a_chat_is_measured_without_its_last_line_break(tokenizer: Any) -> None:
    chat = [*prompt(20), {"role": "assistant", "content": "an answer of several words"}]
    length = tokens(chatml(chat).rstrip("\n"))
    assert check_lengths(rows(chat), tokenizer, Limit(length, "x"), "sft", "d", most=9) == 1
    with pytest.raises(InputError, match="1 of 1 chats"):
        check_lengths(rows(chat), tokenizer, Limit(length - 1, "x"), "sft", "d", most=9)


# sft_dataset.py:155: `prompt_ids_len >= max_length - 2` drops the row, though the whole of it would fit.
def test_a_chat_whose_prompt_leaves_no_room_is_dropped_by_openrlhf_and_so_refused(tokenizer: Any) -> None:
    chat = [*prompt(20), {"role": "assistant", "content": "."}]
    whole = tokens(chatml(chat).rstrip("\n"))
    before = tokens(chatml(prompt(20)) + "<|im_start|>assistant\n")
    assert whole <= before + 2
    with pytest.raises(InputError, match="1 of 1 chats"):
        check_lengths(rows(chat), tokenizer, Limit(before + 2, "x"), "sft", "d", most=9)
    assert check_lengths(rows(chat), tokenizer, Limit(before + 3, "x"), "sft", "d", most=9) == 1


def test_the_first_long_rows_are_named_and_all_are_counted(tokenizer: Any) -> None:
    chats = [prompt(1), *[prompt(300)] * 150, prompt(1)]
    with pytest.raises(InputError, match=r"150 of 152 prompts.*line 2 .*line 6 \(\d+\) and 145 more; build it anew"):
        check_lengths(rows(*chats), tokenizer, Limit(100, "x"), "grpo", "d", most=1_000)


def test_rows_that_are_not_trained_on_may_be_long(tokenizer: Any) -> None:
    chats = [*[prompt(1)] * 70, prompt(300)]
    assert check_lengths(rows(*chats), tokenizer, Limit(100, "x"), "grpo", "d", most=70) == 71
    with pytest.raises(InputError, match="1 of 71"):
        check_lengths(rows(*chats), tokenizer, Limit(100, "x"), "grpo", "d", most=71)


def test_rows_that_are_too_long_are_told_by_the_key_that_names_their_file(tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"^openrlhf\.eval\.dataset: 1 of 1"):
        check_lengths(rows(prompt(300)), tokenizer, Limit(9, "x"), "grpo", "d", most=9, key="openrlhf.eval.dataset")


def test_progress_is_told_in_bytes(tokenizer: Any) -> None:
    heard: list[int] = []
    check_lengths(rows(*[prompt(1)] * 130), tokenizer, Limit(99, "x"), "grpo", "d", most=9, advance=heard.append)
    assert heard == [6_400, 12_800, 13_000]


def test_a_model_without_a_tokenizer_or_a_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be loaded"):
        load_chat_tokenizer(str(tmp_path))
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_file=str(DEMO / "tokenizer.json"), eos_token="<|im_end|>")
    bare.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="no chat template"):
        load_chat_tokenizer(str(tmp_path))


def test_a_template_that_refuses_a_chat_is_told_with_its_lines(tokenizer: Any) -> None:
    from copy import copy

    strict = copy(tokenizer)
    strict.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(InputError, match="refuses a row in lines 1–1: roles must alternate"):
        check_lengths(rows(prompt(1)), strict, Limit(99, "x"), "grpo", "d", most=9)
