"""The record of every answer that was paid for, so that a run that was stopped goes on where it was.

One SQLite file. What is in it survives the end of the process at any point; a crash of the whole machine can cost the
last few answers. While a run has it open no other can: the lock is the operating system's and ends with the process.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from trainer.rationales.answer import Answer
from trainer.rationales.cost import Tokens
from trainer.rationales.stop import Stop

_VERSION = 1
_TABLE = """
CREATE TABLE answer (
    session TEXT NOT NULL, step INTEGER NOT NULL, digest BLOB NOT NULL, model TEXT NOT NULL,
    rationale TEXT, failure TEXT, prompt_tokens INTEGER, completion_tokens INTEGER
)"""
_PRIMARY_CODE = 0xFF
_INDEX = "CREATE INDEX answer_by_question ON answer (session, step, digest)"


class JournalError(Stop):
    """A journal that cannot be used."""


class Key(NamedTuple):
    """Which question an answer is to."""

    session: str
    step: int
    """Counted from 1."""
    digest: bytes
    """Of the model's name and the messages: another model, prompt or page is another question."""


class Journal:
    """The answers so far. Whatever goes wrong with the file is a JournalError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def rationale(self, key: Key) -> str | None:
        """The rationale answered to a question; None where there is none yet that can be used."""
        found = self._row(
            "SELECT rationale FROM answer WHERE session = ? AND step = ? AND digest = ? AND rationale NOT NULL", key
        )
        return None if found is None else str(found[0])

    def add(self, key: Key, model: str, answer: Answer) -> None:
        """Keep an answer; once this returns it is kept."""
        values = (*key, model, answer.rationale, answer.failure, answer.prompt_tokens, answer.completion_tokens)
        self._row("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def spent(self, model: str) -> Tokens:
        """The tokens of every answer of a model's, those that could not be used too."""
        total = self._row("SELECT total(prompt_tokens), total(completion_tokens) FROM answer WHERE model = ?", (model,))
        return Tokens(*map(int, total or ()))

    def _row(self, statement: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise _error(self._path, error) from None
        return row


def journal_path(out: Path) -> Path:
    """Where the journal of an output stands."""
    return out.with_name(f"{out.name}.journal")


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """The journal at `path`, made where there is none, and locked. Raises JournalError."""
    try:
        # Without transactions of its own: every statement is one.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    except sqlite3.Error as error:
        raise _error(path, error) from None
    with closing(connection):
        try:
            _prepare(connection, path)
        except sqlite3.Error as error:
            raise _error(path, error) from None
        yield Journal(path, connection)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Exclusive before WAL: the lock is held to the end, and no shared memory is needed, which network disks lack.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN EXCLUSIVE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.execute(_TABLE)
        connection.execute(_INDEX)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    elif version != _VERSION:
        raise JournalError(f"{path} was written by another version of this command")
    connection.execute("COMMIT")


def _error(path: Path, error: sqlite3.Error) -> JournalError:
    if error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY:
        return JournalError(f"{path} is in use by another run")
    return JournalError(f"{path}: {error}")
