"""OPeRA's tables, in the columns and forms that its card and its users' loaders state."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from reward_server.reward.spec import load_preset
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located
from trainer.sessions.readers.opera import Opera
from trainer.sessions.readers.rows import RowsError
from trainer.sessions.rules import Rules, faults_in

OPERA = load_preset("opera").action_space
USER = "7f1c0c3e-aaaa-bbbb-cccc-000000000001"
SESSION = f"{USER}_2025-04-03T01:06:31.719Z_2025-04-03T01:20:00.000Z"
PAGE = (
    '<div name="nav_bar" role="navigation"><input name="nav_bar.search_input"></div><a name="mug.product_title">Mug</a>'
)


def row(number: int, action_type: str, **values: Any) -> dict[str, Any]:
    """A row as in the set: every column is there, most of them empty."""
    empty = dict.fromkeys(("click_type", "semantic_id", "input_text", "rationale", "url", "products", "image"), "")
    return {
        **empty,
        "session_id": SESSION,
        "action_id": f"id-{number}",
        "timestamp": f"2025-04-03T01:06:{number:02}.719Z",
        "action_type": action_type,
        "simplified_html": PAGE,
        **values,
    }


ROWS = [
    row(1, "input", semantic_id="nav_bar.search_input", input_text="mug"),
    row(2, "scroll"),
    row(3, "click", click_type="product_link", semantic_id="mug.product_title", rationale="look more"),
    row(4, "tab_activate"),
    row(5, "terminate"),
]


def table(file: Path, rows: list[dict[str, Any]]) -> Path:
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file


@pytest.fixture
def users(tmp_path: Path) -> Path:
    survey = json.dumps({"Demographic Information": {"Age": "25-34"}})
    return table(tmp_path / "user.parquet", [{"user_id": USER, "survey": survey, "interview_transcript": "long"}])


def test_a_session_is_its_rows_in_the_order_of_time_with_the_users_survey(tmp_path: Path, users: Path) -> None:
    reader = Opera([table(tmp_path / "a.parquet", ROWS[::-1])], [users], OPERA)
    (found,) = reader
    assert isinstance(found, Located)
    session = found.session
    assert (session.session, session.user) == (SESSION, USER)
    assert session.persona == {"Demographic Information": {"Age": "25-34"}}
    assert [item.action for item in session.steps] == [
        {"type": "input", "name": "nav_bar.search_input", "text": "mug"},
        {"type": "scroll"},
        {"type": "click", "name": "mug.product_title", "click_type": "product_link"},
        {"type": "terminate"},
    ]
    assert [item.rationale for item in session.steps] == [None, None, "look more", None]
    assert session.steps[0].timestamp is not None
    assert session.steps[0].timestamp.isoformat() == "2025-04-03T01:06:01.719000+00:00"
    assert reader.left_out == {"tab_activate": 1}
    assert list(faults_in(session, Rules(OPERA))) == []


def test_under_the_papers_own_spec_an_input_is_typed_and_submitted_and_scrolls_are_left_out(tmp_path: Path) -> None:
    reader = Opera([table(tmp_path / "a.parquet", ROWS)], [], load_preset("shop-r1").action_space)
    (found,) = reader
    assert isinstance(found, Located)
    assert [item.action["type"] for item in found.session.steps] == ["type_and_submit", "click", "terminate"]
    assert reader.left_out == {"scroll": 1, "tab_activate": 1}


def test_a_users_id_is_all_before_the_two_times(tmp_path: Path) -> None:
    for name, user in ((SESSION.replace(USER, "u_2"), "u_2"), ("no times", None)):
        (found,) = Opera([table(tmp_path / "a.parquet", [row(1, "terminate", session_id=name)])], [], OPERA)
        assert isinstance(found, Located)
        assert found.session.user == user


def test_sessions_may_be_spread_over_files_and_mixed(tmp_path: Path) -> None:
    other = [{**item, "session_id": SESSION.replace("01:20", "02:20")} for item in ROWS]
    first, second = table(tmp_path / "a.parquet", [ROWS[0], other[0], ROWS[2]]), table(tmp_path / "b.parquet", ROWS[4:])
    found = [item for item in Opera([first, second], [], OPERA) if isinstance(item, Located)]
    assert [len(item.session.steps) for item in found] == [3, 1]


@pytest.mark.parametrize(
    ("values", "fault", "pointer"),
    [
        ({"session_id": None}, Fault.BAD_FIELD, "/session_id"),
        ({"action_type": None}, Fault.BAD_FIELD, "/action_type"),
        ({"timestamp": "noon"}, Fault.BAD_FIELD, "/timestamp"),
    ],
)
def test_a_broken_row_is_named_and_costs_no_other(
    values: dict[str, Any], fault: Fault, pointer: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(item) + "\n" for item in [ROWS[0], {**ROWS[2], **values}, ROWS[4]]))
    bad, good = Opera([file], [], OPERA)
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.fault, bad.pointer) == (2, fault, pointer)
    assert isinstance(good, Located)
    assert len(good.session.steps) == 2


def test_a_click_without_an_element_is_kept_for_the_check_to_name(tmp_path: Path) -> None:
    (found,) = Opera([table(tmp_path / "a.parquet", [row(1, "click", click_type="other")])], [], OPERA)
    assert isinstance(found, Located)
    assert [fault.fault for fault in faults_in(found.session, Rules(OPERA))] == [Fault.BAD_ACTION]


def test_a_table_without_the_columns_is_refused_before_anything_is_read(tmp_path: Path, users: Path) -> None:
    with pytest.raises(RowsError, match="no column 'session_id', 'action_type', 'simplified_html'; there are user_id"):
        Opera([users], [], OPERA)
    with pytest.raises(RowsError, match="no column 'user_id', 'survey'"):
        Opera([table(tmp_path / "a.parquet", ROWS)], [tmp_path / "a.parquet"], OPERA)
