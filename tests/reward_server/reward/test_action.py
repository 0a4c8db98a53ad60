"""Labels in all their wire forms, and what is wrong with those that are none."""

import json

import pytest

from reward_server.reward.action import MAX_LABEL_FIELD, Action, LabelError, read_label

SPACE = {"click": ("name",), "terminate": (), "type_and_submit": ("name", "text")}
CLICK = {"type": "click", "name": "buy_now"}


@pytest.mark.parametrize("raw", [CLICK, {"action": CLICK}, json.dumps(CLICK), json.dumps({"action": CLICK})])
def test_a_label_is_an_action_in_any_of_its_four_forms(raw: object) -> None:
    assert read_label(raw, SPACE).action == Action("click", {"name": "buy_now"})


def test_null_fields_count_as_absent_because_arrow_gives_every_row_all_columns() -> None:
    label = read_label({"type": "terminate", "name": None, "text": None}, SPACE)
    assert label.action == Action("terminate", {})


def test_what_else_a_label_says_is_kept_beside_the_action() -> None:
    label = read_label({**CLICK, "click_type": "review"}, SPACE)
    assert label.action.fields == {"name": "buy_now"}
    assert label.details["click_type"] == "review"


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        (None, (), "not null"),
        (7, (), "not a number"),
        (True, (), "not a boolean"),
        ([CLICK], (), "not an array"),
        ("", (), "empty"),
        ("click", (), "not a JSON object"),
        ('{"type": "click"} {"type": "click"}', (), "other text"),
        ('{"type": "click", "type": "terminate"}', (), "'type' twice"),
        ({}, ("type",), "no type; its keys are none"),
        ({"action_type": "click"}, ("type",), "no type; its keys are 'action_type'"),
        ({"type": None}, ("type",), "no type"),
        ({"type": 3}, ("type",), "not a number"),
        ({"type": "hover"}, ("type",), "'hover'; this spec has click, terminate, type_and_submit"),
        ({"type": "click"}, ("name",), "needs the field 'name'"),
        ({"type": "click", "name": None}, ("name",), "needs the field 'name'"),
        ({"type": "click", "name": 5}, ("name",), "not a number"),
        ({"type": "type_and_submit", "name": "search", "text": ["a"]}, ("text",), "not an array"),
        ({"action": "terminate"}, ("action",), "not a string"),
        ({"type": "click", "name": "a", "action": {"type": "terminate"}}, (), "both a type and an action"),
        ({"action": {"type": "hover"}}, ("action", "type"), "hover"),
        ({"type": "click", "name": "x" * (MAX_LABEL_FIELD + 1)}, ("name",), "at most 65,536"),
    ],
)
def test_what_is_no_label_is_refused_with_the_field_and_the_reason(
    raw: object, path: tuple[str, ...], words: str
) -> None:
    with pytest.raises(LabelError) as caught:
        read_label(raw, SPACE)
    assert caught.value.path == path
    assert words in caught.value.reason


def test_an_action_matches_a_label_in_type_and_in_every_field_the_label_has() -> None:
    label = Action("type_and_submit", {"name": "search", "text": "shoes"})
    assert Action("type_and_submit", {"name": "search", "text": "shoes"}).matches(label)
    assert not Action("type_and_submit", {"name": "search", "text": "Shoes"}).matches(label)
    assert not Action("type_and_submit", {"text": "shoes"}).matches(label)
    assert not Action("click", {"name": "search", "text": "shoes"}).matches(label)
    assert Action("terminate", {"name": "left over"}).matches(Action("terminate", {}))


def test_an_action_stands_in_json_as_it_is_read_from_there() -> None:
    action = {"type": "type_and_submit", "name": "search", "text": "shoes"}
    assert read_label(action, SPACE).action.as_dict() == action
