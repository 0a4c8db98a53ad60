"""The audit behind `shop-r1 data check`."""

from typing import Any

import pytest

from tests.trainer.sessions.support import (
    BUY,
    HOME,
    OPEN_HAT,
    PRODUCT,
    RESULTS,
    RULES,
    SEARCH,
    located,
    read,
    shopping,
    step,
)
from trainer.sessions.audit import Audit
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.rules import Rules
from trainer.sessions.split import Unit


def audit(*files: list[Any], apart: Unit = "session", rules: Rules = RULES) -> tuple[Audit, list[BadRow]]:
    found: list[BadRow] = []
    done = Audit(rules, apart, found.append)
    for number, rows in enumerate(files):
        done.add(rows, f"{number}.jsonl")
    done.close()
    return done, found


def other(session: str, text: str, **fields: Any) -> dict[str, Any]:
    """Another search than the usual one, so that the content is another too."""
    return {"session": session, "steps": [step(HOME, {**SEARCH, "text": text})], **fields}


def test_what_is_good_is_counted() -> None:
    done, found = audit(read(shopping("a", user="u"), other("b", "mug", user="u"), other("c", "cup", user="v")))
    assert found == []
    figures = done.as_dict()
    assert (figures["rows"], figures["sessions"], figures["users"], figures["steps"]) == (3, 3, 2, 5)
    assert figures["label_types"] == {"click": 2, "type_and_submit": 3}
    assert figures["steps_with_rationale"] == 3
    assert figures["longest_page_characters"] == max(len(HOME), len(RESULTS), len(PRODUCT))
    assert figures["mean_page_characters"] == pytest.approx((3 * len(HOME) + len(RESULTS) + len(PRODUCT)) / 5)
    assert figures["pairing"] == {"actions": 2, "on_own_page": 2, "on_page_before": 0, "verdict": None}


def test_every_fault_is_named_with_its_line() -> None:
    wrong = {"session": "b", "steps": [step(PRODUCT, OPEN_HAT), step(PRODUCT, {"type": "hover"}), step(PRODUCT, BUY)]}
    done, found = audit(read(b"{", wrong, shopping("a"), shopping("a")))
    assert [(bad.line, bad.fault) for bad in found] == [
        (1, Fault.NOT_JSON),
        (2, Fault.NOT_ON_PAGE),
        (2, Fault.BAD_ACTION),
        (4, Fault.DUPLICATE_SESSION),
    ]
    assert done.faults.total() == 4
    assert done.sessions == 2
    assert done.label_types == {"click": 4, "type_and_submit": 1, "other": 1}


def test_a_session_in_two_files_is_a_leak() -> None:
    _, found = audit(read(shopping("a")), read(other("b", "mug"), shopping("a")))
    assert [(bad.fault, bad.line) for bad in found] == [(Fault.LEAKED_SESSION, 2)]
    assert found[0].reason == "the id 'a' came before, at 0.jsonl:1"


def test_the_same_steps_under_another_id_are_a_leak_between_files_only() -> None:
    _, found = audit(read(shopping("a")), read(shopping("b")))
    assert [bad.fault for bad in found] == [Fault.LEAKED_CONTENT]
    _, found = audit(read(shopping("a"), shopping("b")))
    assert found == []


def test_users_may_be_shared_unless_they_are_to_be_kept_apart() -> None:
    files = [
        read(other("a", "mug", user="u"), other("b", "cup", user="u")),
        read(other("c", "pot", user="u"), other("d", "pan", user="u"), other("e", "lid", user="v")),
    ]
    done, found = audit(*files)
    assert (found, done.users, done.shared_users) == ([], 2, 1)
    done, found = audit(*files, apart="user")
    assert [(bad.fault, bad.line) for bad in found] == [(Fault.LEAKED_USER, 1)], "each user once"
    assert found[0].reason == "the user 'u' is in another split, at 0.jsonl:1"


def test_users_that_are_to_be_kept_apart_must_be_known() -> None:
    _, found = audit([located(shopping())], apart="user")
    assert [bad.fault for bad in found] == [Fault.NO_USER]


def test_what_is_allowed_is_not_reported() -> None:
    rules = Rules(RULES.space, allowed=frozenset({Fault.DUPLICATE_SESSION}))
    done, found = audit(read(shopping("a"), shopping("a")), rules=rules)
    assert found == []
    assert done.sessions == 1, "it still counts once"
