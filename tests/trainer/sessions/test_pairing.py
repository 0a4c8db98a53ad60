"""The page-after-action trap: told from the data at hand."""

from typing import Any

from tests.trainer.sessions.support import BUY, HOME, LEAVE, OPEN_HAT, PRODUCT, RESULTS, SEARCH, located, shopping, step
from trainer.sessions.pairing import FEWEST, PairingTest, count_names, examine_pairing, move_pages
from trainer.sessions.schema import Session


def session(*steps: dict[str, Any]) -> Session:
    return located({"session": "s", "steps": list(steps)}).session


STORED_AFTER = session(step(RESULTS, SEARCH), step(PRODUCT, OPEN_HAT), step("<p>Thank you</p>", BUY))
"""Each row holds the page that its action led to."""


def test_pages_stored_before_their_action_hold_its_element() -> None:
    # The first step has no page before it; the other two elements are on their own pages and not on the ones before.
    assert count_names(located(shopping()).session) == PairingTest(2, 2, 0)


def test_pages_stored_after_their_action_hold_the_next_ones_element() -> None:
    assert count_names(STORED_AFTER) == PairingTest(2, 0, 2)


def test_actions_without_an_element_and_steps_without_a_page_do_not_count() -> None:
    assert count_names(session(step(HOME, SEARCH), step(RESULTS, LEAVE))) == PairingTest(0, 0, 0)
    assert count_names(session(step(None, SEARCH), step(RESULTS, OPEN_HAT))) == PairingTest(0, 0, 0)


def test_moving_the_pages_pairs_each_action_with_the_page_it_was_taken_on() -> None:
    moved = move_pages(STORED_AFTER)
    assert [item.html for item in moved.steps] == [None, RESULTS, PRODUCT]
    assert [item.action for item in moved.steps] == [SEARCH, OPEN_HAT, BUY]


def test_the_verdict_needs_a_clear_difference() -> None:
    assert PairingTest(100, 92, 18).verdict == "before"
    assert PairingTest(100, 18, 92).verdict == "after"
    assert PairingTest(100, 50, 60).verdict is None
    assert PairingTest(100, 40, 60).verdict == "after"


def test_the_verdict_needs_enough_actions() -> None:
    assert PairingTest(FEWEST, 0, FEWEST).verdict == "after"
    assert PairingTest(FEWEST - 1, 0, FEWEST - 1).verdict is None


def test_the_finding_reads_as_a_sentence() -> None:
    assert str(PairingTest(1_200, 216, 1_104)) == (
        "of 1,200 elements acted on, 18% are on the page of their own row, 92% on the page of the row before"
    )
    assert "no action" in str(PairingTest(0, 0, 0))


def test_many_sessions_add_up() -> None:
    assert examine_pairing([STORED_AFTER] * 20).verdict == "after"
