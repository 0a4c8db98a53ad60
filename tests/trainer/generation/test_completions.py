from pathlib import Path

import pytest

from tests.trainer.generation.support import MODEL, SPACE, rl_rows, write_rows
from trainer.generation.chat import Chat
from trainer.generation.completions import Data, check
from trainer.generation.errors import GenerationError


def test_rows_are_counted_and_the_longest_prompt_found(tmp_path: Path) -> None:
    chat, rows = Chat(MODEL), rl_rows(12)
    checked = check(Data(write_rows(tmp_path / "rl.jsonl", rows), SPACE), [chat, Chat(MODEL)], 96)
    longest = max(len(chat.token_ids(row["prompt"])) for row in rows)
    assert (checked.rows, checked.longest) == (12, {chat.fingerprint(): longest})


def test_a_prompt_may_fill_the_context_but_for_the_new_tokens(tmp_path: Path) -> None:
    chat, rows = Chat(MODEL), rl_rows(3)
    data = Data(write_rows(tmp_path / "rl.jsonl", rows), SPACE)
    lengths = [len(chat.token_ids(row["prompt"])) for row in rows]
    at = lengths.index(max(lengths))
    check(data, [chat], 8192 - lengths[at])
    with pytest.raises(GenerationError) as told:
        check(data, [chat], 8192 - lengths[at] + 1)
    assert str(told.value) == (
        f"{tmp_path}/rl.jsonl:{at + 1}: /prompt of row {rows[at]['id']}: {lengths[at]} tokens, and {MODEL} takes "
        f"at most {lengths[at] - 1}: its context of 8,192 less {8193 - lengths[at]:,} new ones"
    )


def test_a_file_without_rows_is_told(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="it holds no rows"):
        check(Data(write_rows(tmp_path / "rl.jsonl", []), SPACE), [Chat(MODEL)], 96)
