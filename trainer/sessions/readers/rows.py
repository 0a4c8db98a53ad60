"""Rows of a table, one action each, from Parquet files or JSON lines, grouped by session without holding them all."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from reward_server.decoding import DecodeError, EncodingError, decode
from reward_server.json_lines import json_lines, too_long
from trainer.sessions.faults import BadRow, Fault

_BATCH_ROWS = 16
_FIRST_LINES = 1_000
"""JSON lines that are asked for their keys: a row need not have all."""


class RowsError(ValueError):
    """A file of rows that cannot be read at all: names the file and the reason."""


class Row(NamedTuple):
    """One row, and where it stands."""

    file: str
    number: int
    """Counted from 1: the line of JSON lines, the row of a Parquet file."""
    values: dict[str, Any]

    def bad(self, fault: Fault, column: str, reason: str) -> BadRow:
        """What is wrong with it."""
        return BadRow(self.file, self.number, fault, f"/{column}", reason)


def column_names(file: Path) -> list[str]:
    """The columns of a file: a Parquet file's schema, or the keys of the first JSON lines. Raises RowsError."""
    if file.suffix == ".parquet":
        return list(_parquet(file).schema_arrow.names)
    names: dict[str, None] = {}
    seen = 0
    with _opened(file) as opened:
        for line in json_lines(opened):
            try:
                value = decode(line.content or b"")
            except DecodeError:
                continue
            if isinstance(value, dict):
                names.update(dict.fromkeys(value))
                seen += 1
            if seen == _FIRST_LINES:
                break
    if names:
        return list(names)
    raise RowsError(f"{file}: no line of it is a JSON object")


def read_rows(file: Path, columns: Collection[str]) -> Iterator[Row | BadRow]:
    """The rows of a file with those of `columns` that it has; other columns are not read. Raises RowsError."""
    if file.suffix == ".parquet":
        yield from _parquet_rows(file, columns)
        return
    with _opened(file) as opened:
        for line in json_lines(opened):
            yield _json_row(line.content, str(file), line.number, columns)


def _json_row(content: bytes | None, file: str, number: int, columns: Collection[str]) -> Row | BadRow:
    if content is None:
        return BadRow(file, number, Fault.NOT_JSON, "", too_long())
    try:
        value = decode(content)
    except EncodingError as error:
        return BadRow(file, number, Fault.BAD_ENCODING, error.pointer, error.reason)
    except DecodeError as error:
        return BadRow(file, number, Fault.NOT_JSON, error.pointer, error.reason)
    if not isinstance(value, dict):
        return BadRow(file, number, Fault.NOT_JSON, "", "a row is a JSON object")
    return Row(file, number, {name: value[name] for name in columns if name in value})


def _parquet_rows(file: Path, columns: Collection[str]) -> Iterator[Row | BadRow]:
    from pyarrow import ArrowException

    parquet = _parquet(file)
    there = [name for name in parquet.schema_arrow.names if name in columns]
    number = 0
    try:
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=there):
            for index in range(batch.num_rows):
                number += 1
                try:
                    values = batch.slice(index, 1).to_pylist()[0]
                except UnicodeDecodeError as error:
                    reason = f"not UTF-8: {error.reason} at byte {error.start}"
                    yield BadRow(str(file), number, Fault.BAD_ENCODING, "", reason)
                else:
                    yield Row(str(file), number, values)
    except (ArrowException, OSError) as error:
        raise RowsError(f"{file}: cannot be read after row {number:,}: {error}") from None


def _parquet(file: Path) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(file)
    except (ArrowException, OSError) as error:
        raise RowsError(f"{file}: {error}") from None


def _opened(file: Path) -> Any:
    try:
        return file.open("rb")
    except OSError as error:
        raise RowsError(f"{file}: {error.strerror}") from None


class Spool:
    """Rows grouped by session and put in order, held on disk: data sets need not be sorted, nor fit into memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE session (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        self._database.execute(
            "CREATE TABLE row (session INTEGER, position REAL, number INTEGER, file TEXT, content BLOB)"
        )
        self._database.execute("BEGIN")

    def add(self, session: str, position: float | None, row: Row) -> None:
        """Keep a row; `position` orders a session's rows. Where one has none, or two are equal, the file's order does.

        Raises TypeError for a value that JSON has no word for, bytes above all.
        """
        self._database.execute("INSERT OR IGNORE INTO session (name) VALUES (?)", (session,))
        self._database.execute(
            "INSERT INTO row SELECT id, ?, ?, ?, ? FROM session WHERE name = ?",
            (position, row.number, row.file, orjson.dumps(row.values), session),
        )

    def sessions(self) -> Iterator[tuple[str, list[Row]]]:
        """Each session's rows, in the order in which the sessions first came."""
        self._database.execute("CREATE INDEX by_session ON row (session)")
        for identity, name in self._database.execute("SELECT id, name FROM session ORDER BY id"):
            found = self._database.execute(
                "SELECT position, file, number, content FROM row WHERE session = ? ORDER BY rowid", (identity,)
            ).fetchall()
            if all(position is not None for position, *_ in found):
                found.sort(key=itemgetter(0))
            yield name, [Row(file, number, orjson.loads(content)) for _, file, number, content in found]

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


def moment(value: Any) -> datetime:
    """A point in time as data sets write it: ISO 8601, `Z` for UTC, UTC where no zone is named. Raises ValueError."""
    parsed = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def missing_columns(needed: Sequence[str], there: Collection[str]) -> str | None:
    """A sentence about the columns that are needed and not there; None when all are."""
    absent = [name for name in needed if name not in there]
    return f"no column {', '.join(map(repr, absent))}; there are {', '.join(there)}" if absent else None


def text_of(values: Mapping[str, Any], column: str) -> str | None:
    """A text, None where it is missing, empty or blank. Raises TypeError naming the column when it is no text."""
    value = values.get(column)
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, not {type(value).__name__}")
    return value if value.strip() else None
