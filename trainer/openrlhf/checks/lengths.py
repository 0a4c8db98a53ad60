"""Whether every row of training data fits: OpenRLHF cuts or drops those that do not, without an error."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.openrlhf.checks.inputs import TrainingRow
from trainer.openrlhf.problems import InputError
from trainer.openrlhf.recipe.flags import Kind, Read

_ROWS_AT_ONCE = 64
_CHARACTERS_AT_ONCE = 4 * 2**20
_SHOWN = 5
_ANSWER_ROOM = 2
"""Tokens that OpenRLHF's SFT data set leaves for an answer (sft_dataset.py:155)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most tokens a row may have, and what that number is made of."""

    tokens: int
    reason: str


def limit_of(flags: Read, trainer: Kind) -> Limit:
    """How long a prompt (GRPO) or a chat (SFT) may be."""
    longest = flags.count("data.max_len", 2048)
    if trainer == "sft":
        return Limit(longest, f"data.max_len {longest:,}")
    new = flags.count("rollout.max_new_tokens", 1)
    return Limit(longest - new, f"data.max_len {longest:,} − rollout.max_new_tokens {new:,}")


def load_chat_tokenizer(model: str) -> Any:
    """The tokenizer of a model, as OpenRLHF loads it. Raises InputError where it has none, or no chat template."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=True)
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        what = f"the tokenizer of {model}"
        if not Path(model).is_dir():
            what = f"there is no folder {model}, and as a model of the Hub its tokenizer"
        raise InputError(f"model: {what} cannot be loaded: {lines[0]}") from None
    if not tokenizer.chat_template:
        raise InputError(f"model: the tokenizer of {model} has no chat template")
    return tokenizer


def check_lengths(
    rows: Iterable[TrainingRow],
    tokenizer: Any,
    limit: Limit,
    trainer: Kind,
    name: str,
    *,
    most: int,
    key: str = "data",
    advance: Callable[[int], None] = lambda _: None,
) -> int:
    """How many rows there are, once the first `most`, which are trained on, are known to fit.

    `key` is the recipe's that names them. `advance` hears how many bytes of the file are done. Raises InputError naming
    the first rows that are too long.
    """
    too_long: list[tuple[int, int]] = []
    long = count = 0
    for chunk in _chunks(rows):
        trained = chunk[: max(0, most - count)]
        count += len(chunk)
        for row, tokens in zip(trained, _lengths(trained, tokenizer, limit, trainer), strict=True):
            if tokens > limit.tokens:
                long += 1
                if len(too_long) < _SHOWN:
                    too_long.append((row.line, tokens))
        advance(chunk[-1].end)
    if long:
        what = "chats" if trainer == "sft" else "prompts"
        lines = ", ".join(f"line {line} ({tokens:,})" for line, tokens in too_long)
        more = f" and {long - len(too_long):,} more" if long > len(too_long) else ""
        raise InputError(
            f"{key}: {long:,} of {min(count, most):,} {what} in {name} are longer than the {limit.tokens:,} tokens of "
            f"{limit.reason}: {lines}{more}; build it anew with --tokenizer and --max-length"
        )
    return count


def _chunks(rows: Iterable[TrainingRow]) -> Iterator[list[TrainingRow]]:
    """Rows in chunks that fit memory, however long each is."""
    chunk: list[TrainingRow] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        characters += sum(len(message["content"]) for message in row.messages)
        if len(chunk) == _ROWS_AT_ONCE or characters > _CHARACTERS_AT_ONCE:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _lengths(rows: list[TrainingRow], tokenizer: Any, limit: Limit, trainer: Kind) -> list[int]:
    """Tokens of each row, as OpenRLHF's data sets make its text."""
    if not rows:
        return []
    template = tokenizer.apply_chat_template
    try:
        if trainer == "grpo":
            return _tokens(
                [template(row.messages, tokenize=False, add_generation_prompt=True) for row in rows], tokenizer
            )
        lengths = _tokens([_chat(template(row.messages, tokenize=False), tokenizer) for row in rows], tokenizer)
        for index, row in enumerate(rows):
            # A chat that just fits is still dropped where its last answer is no more than a token or two.
            if limit.tokens - _ANSWER_ROOM <= lengths[index] <= limit.tokens:
                prompt = template(row.messages[:-1], tokenize=False, add_generation_prompt=True)
                if _tokens([prompt], tokenizer)[0] >= limit.tokens - _ANSWER_ROOM:
                    lengths[index] = limit.tokens + 1
        return lengths
    except Exception as error:  # a template is a program of its own, and may raise anything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        first, last = rows[0].line, rows[-1].line
        raise InputError(f"data: the model's chat template refuses a row in lines {first}–{last}: {lines[0]}") from None


def _chat(text: str, tokenizer: Any) -> str:
    """The text that is learnt, closed as OpenRLHF closes it (sft_dataset.py:190)."""
    text = text.rstrip("\n")
    return text if text.endswith(tokenizer.eos_token) else f"{text} {tokenizer.eos_token}"


def _tokens(texts: list[str], tokenizer: Any) -> list[int]:
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]
