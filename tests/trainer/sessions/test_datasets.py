"""SFT and RL rows: what is learnt, what is asked, and what is left out under which name."""

import json
from dataclasses import replace
from typing import Any

import pytest

from reward_server.reward.completion import Completion, parse
from reward_server.reward.spec import load_preset
from tests.trainer.sessions.support import (
    BUY,
    HOME,
    LEAVE,
    OPEN_HAT,
    PRODUCT,
    RESULTS,
    RULES,
    SEARCH,
    SPACE,
    located,
    shopping,
    step,
)
from trainer.sessions.context import Layout
from trainer.sessions.datasets import Builder, Built
from trainer.sessions.faults import BadRow, Fault

SPEC = load_preset("shop-r1-no-rationale")


def builder(history_rationales: bool = False, first_step: bool = False, **layout: Any) -> Builder:
    return Builder(Layout(SPACE, **layout), RULES, history_rationales, first_step)


def rows(built: Any) -> list[dict[str, Any]]:
    return [item.row for item in built if isinstance(item, Built)]


def faults(built: Any) -> list[tuple[Fault, str]]:
    return [(item.fault, item.pointer) for item in built if isinstance(item, BadRow)]


def test_rl_asks_for_every_action_but_the_first() -> None:
    found = rows(builder().rl([located(shopping(user="u"))]))
    assert [(row["id"], row["step"], json.loads(row["label"])) for row in found] == [
        ("s1/2", 2, OPEN_HAT),
        ("s1/3", 3, BUY),
    ]
    assert [json.loads(row["last_action"]) for row in found] == [SEARCH, OPEN_HAT]
    assert {row["user"] for row in found} == {"u"}


def test_rl_asks_for_the_first_action_too_on_request() -> None:
    found = rows(builder(first_step=True).rl([located(shopping())]))
    assert [row["step"] for row in found] == [1, 2, 3]
    assert found[0]["last_action"] is None


def test_an_rl_label_carries_everything_the_data_know_of_it() -> None:
    clicked = step(PRODUCT, {**BUY, "click_type": "purchase", "text": None})
    (row,) = rows(builder().rl([located({"session": "s", "steps": [step(HOME, SEARCH), clicked]})]))
    assert json.loads(row["label"]) == {**BUY, "click_type": "purchase"}


def test_past_turns_of_rl_show_no_rationale_unless_asked_to() -> None:
    (_, plain) = rows(builder().rl([located(shopping())]))
    (_, told) = rows(builder(history_rationales=True).rl([located(shopping())]))
    assert "rationale" not in str(plain["prompt"][1:])
    assert "I need a hat." in str(told["prompt"])
    assert "The price is fine." not in str(told["prompt"])


def test_sft_is_the_whole_session_with_valid_answers_that_match_their_labels() -> None:
    (row,) = rows(builder().sft([located(shopping())]))
    assert (row["id"], row["steps"]) == ("s1/1-3", [1, 2, 3])
    answers = [parse(m["content"], SPEC) for m in row["messages"] if m["role"] == "assistant"]
    assert all(isinstance(answer, Completion) for answer in answers)
    assert [a.action.as_dict() for a in answers if isinstance(a, Completion)] == [SEARCH, OPEN_HAT, BUY]
    assert next(a.rationale for a in answers if isinstance(a, Completion)) == "I need a hat."


def test_a_step_without_a_rationale_is_not_learnt_and_is_named() -> None:
    session = shopping()
    session["steps"][1]["rationale"] = ""
    built = list(builder().sft([located(session)]))
    assert faults(built) == [(Fault.NO_RATIONALE, "/steps/1/rationale")]
    assert [row["steps"] for row in rows(built)] == [[1], [3]]


@pytest.mark.parametrize("history_rationales", [False, True])
def test_rl_needs_no_rationales(history_rationales: bool) -> None:
    session = shopping()
    for item in session["steps"]:
        item["rationale"] = None
    assert faults(builder(history_rationales).rl([located(session)])) == []


def test_a_missing_rationale_that_is_allowed_is_learnt_as_an_empty_one() -> None:
    session = shopping()
    session["steps"][1]["rationale"] = None
    rules = replace(RULES, allowed=frozenset({Fault.NO_RATIONALE}))
    (row,) = rows(Builder(Layout(SPACE), rules).sft([located(session)]))
    assert row["steps"] == [1, 2, 3]
    assert json.loads(row["messages"][4]["content"]) == {"rationale": "", "action": OPEN_HAT}


def test_an_action_that_is_no_label_is_no_target_even_if_it_is_allowed_and_no_last_action() -> None:
    session = {"session": "s", "steps": [step(HOME, SEARCH), step(PRODUCT, {"type": "hover"}), step(PRODUCT, BUY)]}
    rules = replace(RULES, allowed=frozenset({Fault.BAD_ACTION}))
    built = list(Builder(Layout(SPACE), rules).rl([located(session)]))
    assert faults(built) == []
    (row,) = rows(built)
    assert (row["step"], row["last_action"]) == (3, None)


def test_a_label_off_its_page_is_no_target_and_stays_in_the_history() -> None:
    session = {"session": "s", "steps": [step(HOME, SEARCH), step(PRODUCT, OPEN_HAT), step(PRODUCT, BUY)]}
    built = list(builder().rl([located(session)]))
    assert faults(built) == [(Fault.NOT_ON_PAGE, "/steps/1/action/name")]
    (row,) = rows(built)
    assert row["step"] == 3
    assert OPEN_HAT["name"] in str(row["prompt"])


def test_an_action_that_is_no_label_stays_in_the_history_as_it_is() -> None:
    session = {"session": "s", "steps": [step(HOME, {"type": "hover", "name": "x", "at": 3}), step(PRODUCT, BUY)]}
    built = list(builder().rl([located(session)]))
    assert faults(built) == [(Fault.BAD_ACTION, "/steps/0/action/type")]
    (row,) = rows(built)
    assert '{"type": "hover", "name": "x"}' in row["prompt"][2]["content"]


def test_a_page_over_the_limit_is_neither_asked_about_nor_shown() -> None:
    rules = replace(RULES, longest_page=200)
    big = f'<button name="b">{"x" * 300}</button>'
    session = {
        "session": "s",
        "steps": [step(HOME, SEARCH), step(big, {"type": "click", "name": "b"}), step(PRODUCT, BUY)],
    }
    built = list(Builder(Layout(SPACE), rules).rl([located(session)]))
    assert faults(built) == [(Fault.HTML_TOO_LARGE, "/steps/1/html")]
    (row,) = rows(built)
    assert "xxx" not in str(row["prompt"])
    assert row["pages_dropped"] == 1, "the home page, which lies before it"


def test_a_prompt_that_cannot_fit_is_named() -> None:
    built = list(builder(budget=50).rl([located(shopping())]))
    assert faults(built) == [(Fault.PROMPT_TOO_LONG, "/steps/1/html"), (Fault.PROMPT_TOO_LONG, "/steps/2/html")]
    built = list(builder(budget=50).sft([located(shopping())]))
    assert [pointer for _, pointer in faults(built)] == ["/steps/0/html", "/steps/1/html", "/steps/2/html"]


def test_a_row_says_what_the_scope_or_the_budget_dropped() -> None:
    built = [item for item in builder(scope="latest-step").rl([located(shopping())]) if isinstance(item, Built)]
    assert [(item.pages_shown, item.pages_dropped, item.row["pages_dropped"]) for item in built] == [
        (1, 1, 1),
        (1, 2, 2),
    ]


def test_a_bad_row_passes_through() -> None:
    bad = BadRow("f", 1, Fault.NOT_JSON, "", "x")
    assert list(builder().rl([bad])) == [bad]
    assert list(builder().sft([bad])) == [bad]


def test_a_first_page_that_was_not_recorded_is_history_only() -> None:
    session = {
        "session": "s",
        "steps": [step(None, SEARCH), step(RESULTS, OPEN_HAT, rationale="x"), step(PRODUCT, LEAVE)],
    }
    built = list(builder(first_step=True).rl([located(session)]))
    assert faults(built) == []
    assert [row["step"] for row in rows(built)] == [2, 3]
    assert rows(built)[0]["pages_dropped"] == 0
    assert "red wool hat" in rows(built)[0]["prompt"][1]["content"]


def test_the_persona_is_shown_only_on_request() -> None:
    session = located(shopping(persona="I am careful with money."))
    assert "careful" not in str(rows(builder().rl([session])))
    assert "careful" in rows(builder(persona=True).rl([session]))[0]["prompt"][0]["content"]
