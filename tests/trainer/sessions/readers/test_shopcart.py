"""ShopCART's rows: pages stored after their action, found out from the data at hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.sessions.support import BUY, HOME, LEAVE, OPEN_HAT, PRODUCT, RESULTS, RULES, SEARCH
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located
from trainer.sessions.pairing import Pairing
from trainer.sessions.readers.rows import RowsError
from trainer.sessions.readers.shopcart import PairingUnclearError, ShopCart
from trainer.sessions.rules import faults_in

ACTIONS = [SEARCH, OPEN_HAT, BUY]
BEFORE, AFTER = [HOME, RESULTS, PRODUCT], [RESULTS, PRODUCT, "<p>Thank you</p>"]


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def rows(pages: list[str], sessions: int = 20) -> list[dict[str, Any]]:
    return [
        {"session_id": f"s{number}", "user_id": number % 3, "step": index, "action": json.dumps(action), "html": page}
        for number in range(sessions)
        for index, (action, page) in enumerate(zip(ACTIONS, pages, strict=True))
    ]


def sessions(reader: ShopCart) -> list[Located]:
    found = list(reader)
    assert all(isinstance(item, Located) for item in found)
    return [item for item in found if isinstance(item, Located)]


@pytest.mark.parametrize(("pages", "pairing", "own", "before"), [(BEFORE, "before", 40, 0), (AFTER, "after", 0, 40)])
def test_the_pairing_is_told_from_the_data(
    pages: list[str], pairing: Pairing, own: int, before: int, tmp_path: Path
) -> None:
    reader = ShopCart([write(tmp_path / "a.jsonl", rows(pages))])
    found = sessions(reader)
    assert reader.pairing == pairing
    assert reader.test is not None
    # 20 sessions of two named actions after the first.
    assert tuple(reader.test) == (40, own, before)
    assert len(found) == 20
    assert [item.html for item in found[0].session.steps][1:] == [RESULTS, PRODUCT]
    assert all(list(faults_in(item.session, RULES)) == [] for item in found)


def test_data_that_do_not_say_are_refused_unless_the_pairing_is_given(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(AFTER, sessions=3))
    with pytest.raises(PairingUnclearError, match="of 6 elements acted on"):
        list(ShopCart([file]))
    reader = ShopCart([file], pages="after")
    assert [item.html for item in sessions(reader)[0].session.steps] == [None, RESULTS, PRODUCT]
    assert reader.test is None
    same = both = RESULTS + PRODUCT
    with pytest.raises(PairingUnclearError, match="100% are on the page of their own row, 100%"):
        list(ShopCart([write(tmp_path / "b.jsonl", rows([same, both, both]))]))


def test_only_the_first_sessions_are_examined_and_none_is_lost(tmp_path: Path) -> None:
    reader = ShopCart([write(tmp_path / "a.jsonl", rows(AFTER, sessions=400))])
    assert len(sessions(reader)) == 400
    assert reader.test is not None
    assert reader.test.actions == 300


@pytest.mark.parametrize(
    "forms",
    [
        [{"action": action} for action in ACTIONS],
        [{"action": json.dumps({**action, "element": None})} for action in ACTIONS],
        [{"action_type": action["type"], "target": action["name"], "query": action.get("text")} for action in ACTIONS],
        [{"action": action["type"], "element_name": action["name"], "text": action.get("text")} for action in ACTIONS],
    ],
)
def test_actions_are_read_in_every_usual_form(forms: list[dict[str, Any]], tmp_path: Path) -> None:
    plain = [
        {"session": "s", "index": index, "context": page, **form}
        for index, (form, page) in enumerate(zip(forms, BEFORE, strict=True))
    ]
    (found,) = sessions(ShopCart([write(tmp_path / "a.jsonl", plain)], pages="before"))
    assert [item.action for item in found.session.steps] == ACTIONS


def test_columns_can_be_named(tmp_path: Path) -> None:
    plain = [{"visit": 1, "seen": HOME, "done": LEAVE}]
    file = write(tmp_path / "a.jsonl", plain)
    with pytest.raises(RowsError, match=r"no column 'session_id' or .* \(session\); there are visit, seen, done"):
        ShopCart([file])
    (found,) = sessions(ShopCart([file], {"session": "visit", "html": "seen", "action": "done"}, pages="before"))
    assert (found.session.session, found.session.steps[0].action) == ("1", LEAVE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sessions": "a"}, "no use 'sessions' for a column; there are session, user"),
        ({"html": "absent"}, r"no column 'absent' \(html\)"),
        ({"rationale": "absent"}, r"no column 'absent' \(rationale\)"),
    ],
)
def test_a_column_that_is_named_and_not_there_is_refused(given: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(RowsError, match=message):
        ShopCart([write(tmp_path / "a.jsonl", rows(BEFORE))], given)


def test_rows_without_an_action_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="no column for the action"):
        ShopCart([write(tmp_path / "a.jsonl", [{"session": "s", "html": HOME}])])


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"session_id": None}, Fault.BAD_FIELD),
        ({"step": "noon"}, Fault.BAD_FIELD),
        ({"html": 5}, Fault.BAD_FIELD),
        ({"action": "{"}, Fault.BAD_ACTION),
    ],
)
def test_a_broken_row_is_named_and_costs_no_other(wrong: dict[str, Any], fault: Fault, tmp_path: Path) -> None:
    content = rows(BEFORE, sessions=1)
    content[1] |= wrong
    found = list(ShopCart([write(tmp_path / "a.jsonl", content)], pages="before"))
    (bad,) = [item for item in found if isinstance(item, BadRow)]
    assert (bad.line, bad.fault) == (2, fault)
    (good,) = [item for item in found if isinstance(item, Located)]
    assert [item.action for item in good.session.steps] == [SEARCH, BUY]


@pytest.mark.parametrize("wrong", [{"action": "{"}, {"html": 5}, {"session_id": None}])
def test_what_follows_a_broken_row_is_left_out_where_pages_come_after(wrong: dict[str, Any], tmp_path: Path) -> None:
    content = rows(AFTER, sessions=1)
    content[1] |= wrong
    found = list(ShopCart([write(tmp_path / "a.jsonl", content)], pages="after"))
    assert [(bad.line, bad.fault.value) for bad in found if isinstance(bad, BadRow)][-1] == (3, "bad_field")
    (good,) = [item for item in found if isinstance(item, Located)]
    assert [item.action for item in good.session.steps] == [SEARCH], "the page of the third was in the broken second"


def test_rows_without_an_order_keep_that_of_the_file(tmp_path: Path) -> None:
    content = rows(BEFORE, sessions=1)
    content[1]["step"] = None
    (found,) = sessions(ShopCart([write(tmp_path / "a.jsonl", content)], pages="before"))
    assert [item.action for item in found.session.steps] == ACTIONS


def test_files_that_call_a_column_otherwise_are_refused(tmp_path: Path) -> None:
    other = [{("context" if key == "html" else key): value for key, value in row.items()} for row in rows(BEFORE)]
    files = [write(tmp_path / "a.jsonl", rows(BEFORE)), write(tmp_path / "b.jsonl", other)]
    with pytest.raises(RowsError, match="the column for html is 'context' here and 'html' in another file"):
        ShopCart(files)


def test_a_column_that_the_first_row_lacks_is_found_in_the_next(tmp_path: Path) -> None:
    forms = [{"action": action["type"], "name": action["name"]} for action in (OPEN_HAT, BUY)]
    typed = {"action": SEARCH["type"], "name": SEARCH["name"], "text": SEARCH["text"]}
    content = [{"session": "s", "html": HOME, **form} for form in (*forms, typed)]
    (found,) = sessions(ShopCart([write(tmp_path / "a.jsonl", content)], pages="before"))
    assert found.session.steps[2].action == SEARCH


def test_an_id_that_is_too_long_is_a_fault(tmp_path: Path) -> None:
    content = [{**row, "session_id": "x" * 600} for row in rows(BEFORE, sessions=1)]
    (bad,) = ShopCart([write(tmp_path / "a.jsonl", content)], pages="before")
    assert isinstance(bad, BadRow)
    assert bad.pointer == "/session_id"
