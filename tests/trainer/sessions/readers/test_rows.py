"""Rows of Parquet files and JSON lines, and the spool that groups them."""

import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.readers.rows import (
    Row,
    RowsError,
    Spool,
    column_names,
    missing_columns,
    moment,
    read_rows,
    text_of,
)


def write_parquet(file: Path, **columns: list[object]) -> Path:
    parquet.write_table(pyarrow.table(columns), file)
    return file


def test_parquet_and_json_lines_give_the_same_rows(tmp_path: Path) -> None:
    table = write_parquet(tmp_path / "a.parquet", session=["s", "t"], x=[1, None], other=[b"", b""])
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"session": "s", "x": 1, "other": ""}\n\n{"session": "t", "x": null}\n')
    assert column_names(table) == column_names(lines) == ["session", "x", "other"]
    expected = [{"session": "s", "x": 1}, {"session": "t", "x": None}]
    for file, numbers in ((table, [1, 2]), (lines, [1, 3])):
        rows = list(read_rows(file, ["session", "x", "absent"]))
        assert [row.values for row in rows if isinstance(row, Row)] == expected
        assert [row.number for row in rows if isinstance(row, Row)] == numbers


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"a": 1}\n{\n[1]\n{"a": "\xff"}\n')
    bad = [row for row in read_rows(file, ["a"]) if isinstance(row, BadRow)]
    assert [(row.line, row.fault) for row in bad] == [
        (2, Fault.NOT_JSON),
        (3, Fault.NOT_JSON),
        (4, Fault.BAD_ENCODING),
    ]


def test_text_of_a_parquet_file_that_is_not_unicode_is_named_with_its_row(tmp_path: Path) -> None:
    broken = pyarrow.array([b"good", b"\xff\xfe", b"good"], pyarrow.binary()).view(pyarrow.string())
    rows = list(read_rows(write_parquet(tmp_path / "a.parquet", html=broken), ["html"]))
    assert [type(row) for row in rows] == [Row, BadRow, Row]
    assert isinstance(rows[1], BadRow)
    assert (rows[1].line, rows[1].fault) == (2, Fault.BAD_ENCODING)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table"])
def test_a_file_that_is_no_parquet_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(content)
    with pytest.raises(RowsError, match=r"a\.parquet"):
        column_names(file)


def test_a_file_that_is_not_there_or_holds_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    for name in ("absent.jsonl", "absent.parquet", "empty.jsonl"):
        with pytest.raises(RowsError, match=name):
            column_names(tmp_path / name)


def test_the_spool_puts_a_sessions_rows_in_order_however_they_come() -> None:
    spool = Spool()
    for session, position, number in (("b", 2.0, 1), ("a", 9.0, 2), ("b", 1.0, 3), ("a", None, 4), ("b", 1.0, 5)):
        spool.add(session, position, Row("f", number, {"n": number}))
    found = [(name, [row.number for row in rows]) for name, rows in spool.sessions()]
    spool.close()
    assert found == [("b", [3, 5, 1]), ("a", [2, 4])]


def test_moments_are_read_with_their_zone_or_as_utc() -> None:
    assert (
        moment("2025-04-03T01:06:31.719Z")
        == moment("2025-04-03T03:06:31.719+02:00")
        == moment("2025-04-03 01:06:31.719")
    )
    for wrong in ("yesterday", "", 5):
        with pytest.raises((TypeError, ValueError)):
            moment(wrong)


def test_missing_columns_are_named_beside_those_that_are_there() -> None:
    assert missing_columns(["a", "b", "c"], ["b", "x"]) == "no column 'a', 'c'; there are b, x"
    assert missing_columns(["a"], ["a"]) is None


def test_a_blank_text_counts_as_none_and_a_number_is_refused() -> None:
    assert text_of({"a": " "}, "a") is text_of({}, "a") is text_of({"a": None}, "a") is None
    assert text_of({"a": " x"}, "a") == " x"
    with pytest.raises(TypeError, match="not int"):
        text_of({"a": 1}, "a")


def test_columns_that_are_not_asked_for_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"a": 1, "huge": "x" * 1_000}) + "\n")
    (row,) = read_rows(file, ["a"])
    assert isinstance(row, Row)
    assert row.values == {"a": 1}


def test_bytes_are_no_text_and_are_refused() -> None:
    spool = Spool()
    with pytest.raises(TypeError, match="bytes"):
        spool.add("a", None, Row("f", 1, {"html": b"<p>"}))
    spool.close()
