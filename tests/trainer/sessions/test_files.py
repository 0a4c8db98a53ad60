"""Session files: what is read, what is refused and under which name."""

import json
from io import BytesIO
from typing import Any

import pytest

from tests.trainer.sessions.support import HOME, LEAVE, lines, read, shopping, step
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located, read_sessions, unique, write_session


def only_bad(*rows: dict[str, Any] | bytes) -> BadRow:
    (row,) = read(*rows)
    assert isinstance(row, BadRow)
    return row


def test_a_session_comes_back_as_it_was_written() -> None:
    full = shopping(user="u1", persona={"age": 30}, meta={"shop": "x"})
    full["steps"][0] |= {"timestamp": "2026-01-02T03:04:05Z", "url": "https://shop.example/", "raw_html": "<p>"}
    (first,) = read(full)
    assert isinstance(first, Located)
    (again,) = read_sessions(BytesIO(write_session(first.session)), "again")
    assert isinstance(again, Located)
    assert again.session == first.session
    assert json.loads(write_session(first.session)) == full


@pytest.mark.parametrize(
    ("content", "fault", "pointer", "reason"),
    [
        (b"{", Fault.NOT_JSON, "", "line 1, column"),
        (b"[1]", Fault.BAD_FIELD, "", "dictionary"),
        (b'{"session": "a", "steps": [{"html": "\xff", "action": {}}]}', Fault.BAD_ENCODING, "/steps/0/html", "UTF-8"),
        (
            b'{"session": "a", "steps": [{"html": "\\ud800", "action": {}}]}',
            Fault.BAD_ENCODING,
            "/steps/0/html",
            "half",
        ),
        (b'{"session": "a", "steps": [{"html": "<p>", "action": {"text": NaN}}]}', Fault.NOT_JSON, "", "finite"),
        (b'{"session": "a"}', Fault.BAD_FIELD, "/steps", "required"),
        (b'{"session": "", "steps": []}', Fault.BAD_FIELD, "/session", "at least 1"),
        (b'{"session": "a", "steps": []}', Fault.NO_STEPS, "/steps", "without actions"),
        (b'{"session": "a", "steps": [{"htlm": "x", "action": {}}]}', Fault.BAD_FIELD, "/steps/0/htlm", "Extra"),
        (b'{"session": "a", "steps": [{"html": 5, "action": {}}]}', Fault.BAD_FIELD, "/steps/0/html", "string"),
        (
            b'{"session": "a", "steps": [{"action": {}, "timestamp": "2026-01-01T00:00:00"}]}',
            Fault.BAD_FIELD,
            "/steps/0/timestamp",
            "timezone",
        ),
    ],
)
def test_a_broken_line_is_named_with_its_fault_and_field(
    content: bytes, fault: Fault, pointer: str, reason: str
) -> None:
    bad = only_bad(content)
    assert (bad.file, bad.line, bad.fault) == ("sessions.jsonl", 1, fault)
    assert bad.pointer.startswith(pointer)
    assert reason in bad.reason


def test_a_broken_line_costs_no_other() -> None:
    rows = read(shopping("a"), b"{", b"", shopping("b"))
    assert [(row.line, isinstance(row, Located)) for row in rows] == [(1, True), (2, False), (4, True)]


def test_a_bad_row_reads_as_a_sentence_with_file_and_line() -> None:
    bad = only_bad(b'{"session": "a", "steps": []}')
    assert str(bad) == "sessions.jsonl:1, /steps: no_steps: a session without actions"


def test_a_million_wrong_steps_are_one_fault() -> None:
    bad = only_bad({"session": "a", "steps": [{}] * 100_000})
    assert (bad.fault, bad.pointer) == (Fault.BAD_FIELD, "/steps/0/action")


def test_what_nests_too_deeply_to_be_written_again_is_refused() -> None:
    for depth, fine in ((64, True), (65, False), (900, False)):
        meta = json.loads('{"a": ' * depth + "1" + "}" * depth)
        (row,) = read(shopping(meta=meta))
        assert isinstance(row, Located) == fine
        if isinstance(row, Located):
            assert json.loads(write_session(row.session))["meta"] == meta
        else:
            assert (row.fault, row.pointer) == (Fault.BAD_FIELD, "/meta")


def test_a_session_that_came_before_is_named_with_its_first_line() -> None:
    rows = list(unique(read(shopping("a"), shopping("b"), shopping("a"), b"{")))
    assert [isinstance(row, Located) for row in rows] == [True, True, False, False]
    assert str(rows[2]) == ("sessions.jsonl:3, /session: duplicate_session: the id 'a' came before, at line 1")


def test_a_byte_order_mark_does_not_count() -> None:
    (row,) = read(b"\xef\xbb\xbf" + lines(shopping()).strip())
    assert isinstance(row, Located)


def test_a_first_page_may_be_missing_and_other_keys_of_an_action_stay() -> None:
    (row,) = read({"session": "a", "steps": [step(None, {**LEAVE, "click_type": None, "why": [1]}), step(HOME, LEAVE)]})
    assert isinstance(row, Located)
    assert row.session.steps[0].html is None
    assert row.session.steps[0].action["why"] == [1]
