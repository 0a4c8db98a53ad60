"""What makes a step unfit, each under its own name."""

from dataclasses import replace
from typing import Any

import pytest

from reward_server.reward.spec import load_preset
from tests.trainer.sessions.support import BUY, HOME, LEAVE, OPEN_HAT, PRODUCT, RULES, SEARCH, located, shopping, step
from trainer.sessions.faults import Fault
from trainer.sessions.rules import Rules, StepFault, faults_in


def faults(*steps: dict[str, Any], rules: Rules = RULES) -> list[StepFault]:
    return list(faults_in(located({"session": "s", "steps": list(steps)}).session, rules))


def test_a_good_session_has_none() -> None:
    assert list(faults_in(located(shopping()).session, RULES)) == []


@pytest.mark.parametrize(
    ("bad", "fault", "field", "reason"),
    [
        (step(None, LEAVE), Fault.NO_HTML, "html", "missing"),
        (step("", LEAVE), Fault.NO_HTML, "html", "missing"),
        (step(" \n", LEAVE), Fault.NO_HTML, "html", "missing"),
        (step("<div><p>x</div></div>", LEAVE), Fault.MALFORMED_HTML, "html", "div"),
        (step("no markup at all", LEAVE), Fault.MALFORMED_HTML, "html", "element"),
        (step(PRODUCT, OPEN_HAT), Fault.NOT_ON_PAGE, "action/name", "'search_results.red_wool_hat.view_product'"),
        (step(PRODUCT, SEARCH), Fault.NOT_ON_PAGE, "action/name", "'search_input'"),
        (step(PRODUCT, {"type": "hover"}), Fault.BAD_ACTION, "action/type", "unknown action type 'hover'"),
        (step(PRODUCT, {"name": "x"}), Fault.BAD_ACTION, "action/type", "no type"),
        (step(PRODUCT, {"type": "click"}), Fault.BAD_ACTION, "action/name", "needs the field 'name'"),
        (
            step(HOME, {"type": "type_and_submit", "name": "search_input", "text": 5}),
            Fault.BAD_ACTION,
            "action/text",
            "a string",
        ),
    ],
)
def test_each_fault_is_named_with_its_step_and_field(
    bad: dict[str, Any], fault: Fault, field: str, reason: str
) -> None:
    (found,) = faults(step(HOME, SEARCH), bad)
    assert (found.step, found.fault, found.pointer) == (1, fault, f"/steps/1/{field}")
    assert reason in found.reason


def test_only_the_first_page_may_be_unknown() -> None:
    assert faults(step(None, SEARCH), step(PRODUCT, BUY)) == []
    assert [found.fault for found in faults(step("", SEARCH), step(PRODUCT, BUY))] == [Fault.NO_HTML]


def test_a_name_in_the_text_of_a_page_is_not_on_it() -> None:
    (found,) = faults(step('<p>name="add_to_cart.buy_now"</p>', BUY))
    assert found.fault is Fault.NOT_ON_PAGE


def test_a_page_over_the_limit_is_not_looked_into() -> None:
    page = f"<p>{'x' * 100}</p>"
    rules = replace(RULES, longest_page=100)
    (found,) = faults(step(page, BUY), rules=rules)
    assert found.fault is Fault.HTML_TOO_LARGE
    assert "107 characters; at most 100" in found.reason
    assert faults(step("<p>" + "x" * 93 + "</p>", LEAVE), rules=rules) == []


def test_time_does_not_run_backwards() -> None:
    at = [step(PRODUCT, BUY, timestamp=f"2026-01-01T00:00:0{second}Z") for second in (1, 2, 2, 0)]
    (found,) = faults(*at)
    assert (found.step, found.fault, found.pointer) == (3, Fault.UNORDERED_STEPS, "/steps/3/timestamp")


def test_a_fault_that_is_allowed_is_none() -> None:
    bad = step(PRODUCT, OPEN_HAT), step("<div>", BUY)
    assert {found.fault for found in faults(*bad)} == {Fault.NOT_ON_PAGE, Fault.MALFORMED_HTML}
    rules = replace(RULES, allowed=frozenset({Fault.NOT_ON_PAGE}))
    assert [found.fault for found in faults(*bad, rules=rules)] == [Fault.MALFORMED_HTML]


def test_a_step_may_have_two_faults() -> None:
    assert {found.fault for found in faults(step("<div>", BUY))} == {Fault.MALFORMED_HTML, Fault.NOT_ON_PAGE}


def test_the_action_space_is_the_specs() -> None:
    scroll = step(PRODUCT, {"type": "scroll"})
    assert [found.fault for found in faults(scroll)] == [Fault.BAD_ACTION]
    assert faults(scroll, rules=Rules(load_preset("opera").action_space)) == []
