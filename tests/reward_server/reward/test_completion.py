"""A model's text -> rationale and action, or the reason why not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward.action import Action
from reward_server.reward.completion import Completion, InvalidError, Reason, parse, read
from reward_server.reward.spec import END_OF_TURN, RewardSpec, load_preset, read_spec

SPEC = load_preset("shop-r1")
FENCED = read_spec('extends = "shop-r1"\nname = "fenced"\nformat.mode = "fenced"', "a test")
VALID = '{"rationale": "I like it.", "action": {"type": "click", "name": "buy_now"}}'
PARSED = Completion("I like it.", Action("click", {"name": "buy_now"}))


@pytest.mark.parametrize(
    "text",
    [
        VALID,
        f"  \n{VALID}\r\n\t",
        f"{VALID}<|im_end|>",
        f"{VALID}\n<|im_end|>\n<|endoftext|>",
        f"\u3000{VALID}\u00a0",
        VALID.replace(" ", "").replace("Ilikeit", "I like it"),
        json.dumps(json.loads(VALID), indent=4),
        '{"action": {"name": "buy_now", "type": "click"}, "rationale": "I like it."}',
        VALID.replace("}}", ', "price": 9.99, "tags": [1, {"a": null}]}}'),
        VALID.replace("click", "\\u0063lick"),
    ],
)
def test_every_spelling_of_a_valid_completion_says_the_same(text: str) -> None:
    assert parse(text, SPEC) == PARSED


@pytest.mark.parametrize("token", END_OF_TURN)
def test_every_chat_template_s_end_of_turn_token_may_follow(token: str) -> None:
    assert parse(f"{VALID}{token}{token} ", SPEC) == PARSED
    assert parse(f"{token}{VALID}", SPEC) is Reason.EXTRA_TEXT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.EMPTY),
        (" \n\t", Reason.EMPTY),
        ("<|im_end|>", Reason.EMPTY),
        (VALID[:-1], Reason.NOT_JSON),
        ("click buy_now", Reason.NOT_JSON),
        (f"Sure, here it is: {VALID}", Reason.EXTRA_TEXT),
        (f"```json\n{VALID}\n```", Reason.EXTRA_TEXT),
        (f"{VALID}\nI hope this helps!", Reason.EXTRA_TEXT),
        (VALID.replace('"action"', '"rationale"'), Reason.DUPLICATE_KEY),
        ('{"rationale": "x"}', Reason.WRONG_KEYS),
        ("{}", Reason.WRONG_KEYS),
        ('{"rationale": "x", "Action": {"type": "terminate"}}', Reason.WRONG_KEYS),
        ('{"rationale": "x", "action": {"type": "terminate"}, "confidence": 1}', Reason.WRONG_KEYS),
        ('{"rationale": null, "action": {"type": "terminate"}}', Reason.BAD_RATIONALE),
        ('{"rationale": ["x"], "action": "terminate"}', Reason.BAD_RATIONALE),
        ('{"rationale": "x", "action": "terminate"}', Reason.BAD_ACTION),
        ('{"rationale": "x", "action": []}', Reason.BAD_ACTION),
        ('{"rationale": "x", "action": {}}', Reason.BAD_ACTION),
        ('{"rationale": "x", "action": {"type": null}}', Reason.BAD_ACTION),
        ('{"rationale": "x", "action": {"type": "click", "name": null}}', Reason.BAD_ACTION),
        ('{"rationale": "x", "action": {"type": "click", "name": "a", "text": 7}}', Reason.BAD_ACTION),
    ],
)
def test_every_reason_why_a_completion_earns_nothing(text: str, reason: Reason) -> None:
    assert parse(text, SPEC) is reason


@pytest.mark.parametrize(
    "action",
    [{"type": "click"}, {"type": "scroll"}, {"type": ""}, {"type": "click", "name": ""}, {"type": "click", "x": 1}],
)
def test_an_incomplete_or_unknown_action_is_still_a_valid_completion(action: dict[str, object]) -> None:
    outcome = parse(json.dumps({"rationale": "", "action": action}), SPEC)
    assert isinstance(outcome, Completion)
    assert outcome.action.type == action["type"]


def test_the_spec_says_which_fields_an_action_has() -> None:
    spec = RewardSpec.model_validate({"name": "drag", "actions": {"drag": {"fields": {"from": {}, "to": {}}}}})
    outcome = parse('{"rationale": "", "action": {"type": "drag", "from": "a", "to": "b", "name": null}}', spec)
    assert outcome == Completion("", Action("drag", {"from": "a", "to": "b"}))
    assert parse('{"rationale": "", "action": {"type": "drag", "from": null}}', spec) is Reason.BAD_ACTION


@pytest.mark.parametrize("text", [f"```json\n{VALID}\n```", f"```json{VALID}```<|im_end|>", VALID])
def test_the_fenced_mode_takes_one_json_fence_or_none(text: str) -> None:
    assert parse(text, FENCED) == PARSED


@pytest.mark.parametrize("text", [f"```\n{VALID}\n```", f"```json\n{VALID}", f"Here: ```json\n{VALID}\n```"])
def test_the_fenced_mode_takes_no_other_wrapping(text: str) -> None:
    assert parse(text, FENCED) is Reason.EXTRA_TEXT


@pytest.mark.parametrize("text", ["``````", "```json```"])
def test_a_fence_around_nothing_holds_no_json(text: str) -> None:
    assert parse(text, FENCED) is Reason.NOT_JSON


def test_an_invalid_completion_tells_what_exactly_is_wrong() -> None:
    with pytest.raises(InvalidError, match="confidence, rationale") as caught:
        read('{"rationale": "x", "confidence": 1}', SPEC)
    assert caught.value.reason is Reason.WRONG_KEYS


@pytest.mark.parametrize(
    "text",
    [
        '{"rationale":"a","rationale":"\\u003a","action":{"type":"click"}}',
        '{"rationale":"a:b","rationale":"\\u003ab:","action":{"type":"click"}}',
        '{"rationale":":","action":{"type":"click"},"action":{"type":"\\u003A\\u003a\\u003a"}}',
    ],
)
def test_escaped_colons_cannot_hide_a_second_key(text: str) -> None:
    assert parse(text, SPEC) is Reason.DUPLICATE_KEY


def test_many_brackets_that_are_not_deep_are_no_fault() -> None:
    text = VALID.replace("}}", f', "history": [{", ".join(["[]", "{}"] * 200)}]}}}}')
    assert parse(text, SPEC) == PARSED


def test_an_end_of_turn_token_may_look_like_json() -> None:
    spec = read_spec('extends = "shop-r1"\nname = "x"\nformat.end_of_turn = ["{END}"]', "a test")
    assert parse(f"{VALID}{{END}}", spec) == PARSED


def test_a_megabyte_of_end_of_turn_tokens_is_just_empty() -> None:
    assert parse("<|endoftext|> " * 100_000, SPEC) is Reason.EMPTY


@given(st.text() | st.text(st.sampled_from('{}[]",:\\ \nabtrue19.-e<|imend>'), max_size=40))
def test_no_text_makes_parsing_raise(text: str) -> None:
    assert isinstance(parse(text, SPEC), Completion | Reason)


pieces = st.sampled_from(
    ["", "I like it: yes", "\\u003a", "\\\\u003a", "a:b", '\\"type\\":', "日本語", "\\ud83d\\ude00", "\\udc00", "x"]
)
raw_values = pieces.map(lambda piece: f'"{piece}"') | st.sampled_from(["null", "1e999", "[]", '{"a": "b"}', "{}"])
raw_keys = st.sampled_from(['"rationale"', '"action"', '"type"', '"name"', '"text"', '"n\\u0061me"', '"a:b"', '"note"'])
raw_objects = st.lists(st.tuples(raw_keys, raw_values), max_size=4).map(
    lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
)
raw_actions = st.tuples(raw_values, raw_objects).map(lambda parts: parts[1].replace("{", f'{{"type": {parts[0]}, ', 1))
raw_completions = st.lists(
    st.tuples(st.just('"rationale"'), raw_values)
    | st.tuples(st.just('"action"'), raw_actions | raw_objects | raw_values),
    min_size=1,
    max_size=3,
).map(lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}")


@given(raw_completions)
def test_the_fast_way_in_says_what_the_careful_one_says(text: str) -> None:
    try:
        careful: Completion | Reason = read(text, SPEC)
    except InvalidError as error:
        careful = error.reason
    assert parse(text, SPEC) == careful
