"""The record of answers: what it keeps, what it tells apart, and who may have it open."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.rationales.answer import Answer, Failure
from trainer.rationales.cost import NO_TOKENS, Tokens
from trainer.rationales.journal import JournalError, Key, journal_path, open_journal

KEY = Key("s1", 1, b"d" * 32)
GOOD = Answer("I need a hat.", None, "", 100, 10)
BAD = Answer(None, Failure.EMPTY, '""', 90, 5)

HOLD = """
import sys
from pathlib import Path
from trainer.rationales.journal import Key, open_journal
from trainer.rationales.answer import Answer
with open_journal(Path(sys.argv[1])) as journal:
    journal.add(Key("s1", 1, b"d" * 32), "m", Answer("I need a hat.", None, "", 100, 10))
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "filled.jsonl.journal"


def test_it_stands_beside_the_output() -> None:
    assert journal_path(Path("a/filled.jsonl")) == Path("a/filled.jsonl.journal")


def test_an_answer_is_there_when_it_is_opened_again(path: Path) -> None:
    with open_journal(path) as journal:
        assert journal.rationale(KEY) is None
        journal.add(KEY, "m", GOOD)
    with open_journal(path) as journal:
        assert journal.rationale(KEY) == "I need a hat."


@pytest.mark.parametrize("other", [KEY._replace(session="s2"), KEY._replace(step=2), KEY._replace(digest=b"e" * 32)])
def test_an_answer_is_to_its_own_question_only(path: Path, other: Key) -> None:
    with open_journal(path) as journal:
        journal.add(KEY, "m", GOOD)
        assert journal.rationale(other) is None


def test_an_answer_that_cannot_be_used_is_no_rationale_and_was_paid_for(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add(KEY, "m", BAD)
        assert journal.rationale(KEY) is None
        journal.add(KEY, "m", GOOD)
        assert journal.rationale(KEY) == "I need a hat."
        journal.add(KEY, "m", Answer("I need a cap.", None))
        journal.add(KEY, "another-model", GOOD)
        assert journal.spent("m") == Tokens(190, 15)
        assert journal.spent("nobody") == NO_TOKENS


def test_any_text_can_be_kept(path: Path) -> None:
    key, text = Key("'); DROP TABLE answer; -- 日本語\x00", 1, b"d" * 32), "それが欲しい。🎁 '\""
    with open_journal(path) as journal:
        journal.add(key, "m", GOOD._replace(rationale=text))
        assert journal.rationale(key) == text


def test_a_killed_process_loses_nothing_and_holds_nothing(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(JournalError, match="is in use by another run"), open_journal(path):
            pass
        holder.kill()
    with open_journal(path) as journal:
        assert journal.rationale(KEY) == "I need a hat."


def test_closed_it_is_one_file(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add(KEY, "m", GOOD)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_none_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"my notes, not a journal" * 100)
    with pytest.raises(JournalError, match=r"filled.jsonl.journal: file is not a database"), open_journal(path):
        pass
    assert path.read_bytes().startswith(b"my notes")


def test_a_journal_of_another_version_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="another version"), open_journal(path):
        pass


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="unable to open"), open_journal(tmp_path / "nowhere" / "a.journal"):
        pass


def test_a_fault_while_it_is_used_names_the_file(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add(KEY, "m", GOOD)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE answer")
    connection.close()
    with open_journal(path) as journal, pytest.raises(JournalError, match=r"filled.jsonl.journal: no such table"):
        journal.rationale(KEY)
