"""Rows -> completions: judged in one pass over the file, generated in another, so that its size costs no memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from reward_server.reward.action import ActionSpace
from trainer.generation.chat import Chat
from trainer.generation.engine import Engine, Prompt
from trainer.generation.errors import GenerationError
from trainer.generation.rows import Row, read_rows
from trainer.generation.sampling import Sampling


class Data(NamedTuple):
    """The rows to generate for."""

    file: Path
    space: ActionSpace
    limit: int | None = None
    """The first so many; all for None."""

    def rows(self) -> Iterator[Row]:
        """Read them. Raises GenerationError."""
        return read_rows(self.file, self.space, self.limit)


class Checked(NamedTuple):
    """What a pass over the rows has found, and found nothing wrong."""

    rows: int
    longest: Mapping[str, int]
    """Tokens of the longest prompt, by the fingerprint of the chat."""


def check(data: Data, chats: Sequence[Chat], max_new_tokens: int) -> Checked:
    """Hold every row to what a row is, and its prompt to each model's context less the new tokens.

    Chats that read alike are asked once. Raises GenerationError naming the row.
    """
    strictest: dict[str, Chat] = {}
    for chat in sorted(chats, key=lambda chat: chat.longest or float("inf")):
        strictest.setdefault(chat.fingerprint(), chat)
    rows, longest = 0, dict.fromkeys(strictest, 0)
    for row in data.rows():
        rows += 1
        for fingerprint, chat in strictest.items():
            longest[fingerprint] = max(longest[fingerprint], _tokens(row, chat, data.file, max_new_tokens))
    if not rows:
        raise GenerationError(f"{data.file}: it holds no rows")
    return Checked(rows, longest)


def generate(rows: Iterable[Row], chat: Chat, engine: Engine, sampling: Sampling) -> Iterator[tuple[Row, list[str]]]:
    """Each row, in order, with its `sampling.samples` completions."""
    rows = iter(rows)
    while chunk := list(islice(rows, engine.rows_at_once)):
        prompts = [Prompt(chat.token_ids(row.messages), row.line) for row in chunk]
        for row, answers in zip(chunk, engine.generate(prompts, sampling), strict=True):
            texts = [chat.text(answer) for answer in answers]
            yield row, texts * (sampling.samples // sampling.drawn)


def _tokens(row: Row, chat: Chat, file: Path, max_new_tokens: int) -> int:
    try:
        tokens = len(chat.token_ids(row.messages))
    except GenerationError as error:
        raise GenerationError(f"{file}:{row.line}: /prompt of row {row.id}: {error}") from None
    if chat.longest is not None and tokens > chat.longest - max_new_tokens:
        room = max(chat.longest - max_new_tokens, 0)
        raise GenerationError(
            f"{file}:{row.line}: /prompt of row {row.id}: {tokens:,} tokens, and {chat.model} takes at most {room:,}: "
            f"its context of {chat.longest:,} less {max_new_tokens:,} new ones"
        )
    return tokens
