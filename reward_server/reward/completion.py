"""A model's text -> its rationale and action, or the reason why it has none (the format reward).

A valid completion is one RFC 8259 JSON object with exactly the keys `rationale` (a string) and `action` (an object with
a string `type`, and strings for those fields of the spec's action space that it has). White space around it and the
chat template's end-of-turn tokens after it do not count.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from reward_server.reward.action import Action
from reward_server.reward.spec import RewardSpec
from reward_server.reward.strict_json import DuplicateKeyError, ExtraTextError, NotJSONError, load_object

_new = tuple.__new__
_FENCE_OPENS, _FENCE_CLOSES = "```json", "```"
_CUT_SHORT = "unexpected end of data"
"""As orjson says it."""
_ESCAPED_COLON = "\\u003"


class Reason(StrEnum):
    """Why a completion earned nothing."""

    EMPTY = "empty"
    """Nothing but white space and end-of-turn tokens."""
    NOT_JSON = "not_json"
    """No complete, strict JSON object (cut short, NaN, trailing comma, nested too deeply, half a surrogate pair, …)."""
    EXTRA_TEXT = "extra_text"
    """A JSON object with other text around it, a code fence among them."""
    DUPLICATE_KEY = "duplicate_key"
    """An object that names a key twice."""
    WRONG_KEYS = "wrong_keys"
    """Keys other than exactly `rationale` and `action`."""
    BAD_RATIONALE = "bad_rationale"
    """The rationale is not a string."""
    BAD_ACTION = "bad_action"
    """The action is not an object with a string type and string fields."""


class Completion(NamedTuple):
    """What a valid completion says."""

    rationale: str
    action: Action


class InvalidError(ValueError):
    """A completion that earns nothing: the reason, and what exactly is wrong."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def parse(text: str, spec: RewardSpec) -> Completion | Reason:
    """Read a completion, or say why it cannot be read. Never raises on any text."""
    trimmed = _trim(text, spec.format.end_of_turn)
    found = _read_plain(trimmed, spec.field_names)
    if found is not None:
        return found
    try:
        return _read_trimmed(trimmed, spec)
    except InvalidError as error:
        return error.reason


def read(text: str, spec: RewardSpec) -> Completion:
    """Read a completion. Raises InvalidError, which says in detail why it cannot be read."""
    return _read_trimmed(_trim(text, spec.format.end_of_turn), spec)


def _read_trimmed(text: str, spec: RewardSpec) -> Completion:
    if not text:
        raise InvalidError(Reason.EMPTY, "the completion is empty")
    if spec.format.mode == "fenced":
        text = _unfence(text)
    try:
        answer = load_object(text)
    except NotJSONError as error:
        raise InvalidError(Reason.NOT_JSON, str(error)) from None
    except ExtraTextError as error:
        raise InvalidError(Reason.EXTRA_TEXT, str(error)) from None
    except DuplicateKeyError as error:
        raise InvalidError(Reason.DUPLICATE_KEY, f"the key {str(error)!r} stands twice in one object") from None
    if len(answer) != 2 or "rationale" not in answer or "action" not in answer:
        raise InvalidError(Reason.WRONG_KEYS, f"the keys are {_names(answer)}, not exactly rationale and action")
    rationale = answer["rationale"]
    if not isinstance(rationale, str):
        raise InvalidError(Reason.BAD_RATIONALE, "the rationale is not a string")
    return Completion(rationale, _read_action(answer["action"], spec.field_names))


def _read_plain(text: str, field_names: frozenset[str]) -> Completion | Reason | None:
    """What `_read_trimmed` makes of a completion in its usual form, in a fraction of the time; None for any other form.

    One that was cut short is as usual: it begins as an object, and nothing is wrong with it but that it ends.

    Every key of the text has one colon outside strings, so no key stands twice in a text that has just as many colons
    as the parsed keys and strings account for; unless strings hide some as escapes, and that is not the usual form.
    """
    try:
        answer = orjson.loads(text)
        rationale, action = answer["rationale"], answer["action"]
        action_type = action.pop("type")
    except orjson.JSONDecodeError as error:
        return Reason.NOT_JSON if error.msg == _CUT_SHORT and text.startswith("{") else None
    except (KeyError, TypeError, AttributeError):
        return None
    if type(rationale) is not str or type(action_type) is not str or len(answer) != 2:
        return None
    for name, value in action.items():
        if type(value) is not str or name not in field_names:
            return None
    colons = text.count(":") - 3 - len(action)
    if colons and (_ESCAPED_COLON in text or colons != _colons(rationale, action_type, *action, *action.values())):
        return None
    # What Completion(…) and Action(…) do as well, in twice the time.
    return _new(Completion, (rationale, _new(Action, (action_type, action))))


def _colons(*texts: str) -> int:
    return sum(text.count(":") for text in texts)


def _trim(text: str, end_of_turn: tuple[str, ...]) -> str:
    text = text.strip()
    if not text.endswith(end_of_turn):
        return text
    end = len(text)
    while token := next((token for token in end_of_turn if text.endswith(token, 0, end)), None):
        end -= len(token)
        while end and text[end - 1].isspace():
            end -= 1
    return text[:end]


def _unfence(text: str) -> str:
    if text.startswith(_FENCE_OPENS) and text.endswith(_FENCE_CLOSES) and len(text) > len(_FENCE_OPENS + _FENCE_CLOSES):
        return text[len(_FENCE_OPENS) : -len(_FENCE_CLOSES)].strip()
    return text


def _read_action(raw: Any, field_names: frozenset[str]) -> Action:
    if not isinstance(raw, dict):
        raise InvalidError(Reason.BAD_ACTION, "the action is not an object")
    action_type = raw.get("type")
    if not isinstance(action_type, str):
        raise InvalidError(Reason.BAD_ACTION, "the action has no type, or one that is not a string")
    fields = {}
    for name, value in raw.items():
        if name in field_names:
            if not isinstance(value, str):
                raise InvalidError(Reason.BAD_ACTION, f"the action's field {name!r} is not a string")
            fields[name] = value
    return Action(action_type, fields)


def _names(answer: dict[str, Any]) -> str:
    return ", ".join(sorted(answer))[:200] or "none"
