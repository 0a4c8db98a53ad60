"""Actions, and the action space that a reward spec defines: which types there are and which text fields each has."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reward_server.reward.strict_json import DuplicateKeyError, ExtraTextError, NotJSONError, load_object

ActionSpace = Mapping[str, tuple[str, ...]]
"""Action type -> the names of its text fields, sorted."""

MAX_LABEL_FIELD = 65_536
"""Most characters one field of a label may have; real names and queries have hundreds at most."""


class Action(NamedTuple):
    """What a shopper does: a type, and the text fields that came with it."""

    type: str
    fields: Mapping[str, str]

    def matches(self, label: "Action") -> bool:
        """Whether this is the label's action in its type and in every field the label has."""
        if self.type != label.type:
            return False
        if self.fields == label.fields:
            return True
        for name, text in label.fields.items():  # noqa: SIM110 - a generator would cost more than all comparisons
            if self.fields.get(name) != text:
                return False
        return True

    def as_dict(self) -> dict[str, str]:
        """The action as it stands in JSON."""
        return {"type": self.type, **self.fields}


class Label(NamedTuple):
    """The action a rollout should have predicted, and everything else its label says (a click's subtype, say)."""

    action: Action
    details: Mapping[str, Any]


class LabelError(ValueError):
    """A label that no completion can be scored against: the caller's mistake, never the model's."""

    def __init__(self, path: tuple[str, ...], reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def read_label(raw: object, space: ActionSpace) -> Label:
    """The label in any of its wire forms: the action, `{"action": {…}}`, or the JSON string of either.

    Fields that are null count as absent, because Arrow-backed data sets give every row the union of all keys.
    Raises LabelError, with the path to the offending field inside the label.
    """
    if isinstance(raw, str):
        raw = _load_label(raw)
    if not isinstance(raw, dict):
        raise LabelError((), f"a label is an action object or the JSON string of one, not {_kind(raw)}")
    action = raw.get("action")
    if action is None and ("action" not in raw or raw.get("type") is not None):
        return Label(_read_action(raw, (), space), raw)
    if raw.get("type") is not None:
        raise LabelError((), "the label has both a type and an action, which may be two different actions")
    if not isinstance(action, dict):
        raise LabelError(("action",), f"the action is an object, not {_kind(action)}")
    return Label(_read_action(action, ("action",), space), {**raw, **action})


def _load_label(text: str) -> dict[str, Any]:
    if not text.strip():
        raise LabelError((), "the label is empty; with OpenRLHF, --data.label_key names its column")
    try:
        return load_object(text)
    except NotJSONError as error:
        raise LabelError((), f"the label is a string but not a JSON object: {error}") from None
    except ExtraTextError as error:
        raise LabelError((), f"the label's string is not JSON alone: {error}") from None
    except DuplicateKeyError as error:
        raise LabelError((), f"the label names the key {str(error)[:80]!r} twice") from None


def _read_action(raw: dict[str, Any], path: tuple[str, ...], space: ActionSpace) -> Action:
    action_type = raw.get("type")
    if action_type is None:
        keys = ", ".join(map(repr, raw))[:200] or "none"
        raise LabelError((*path, "type"), f"the label's action has no type; its keys are {keys}")
    if not isinstance(action_type, str):
        raise LabelError((*path, "type"), f"the type is a string, not {_kind(action_type)}")
    if action_type not in space:
        raise LabelError((*path, "type"), f"unknown action type {action_type[:80]!r}; this spec has {', '.join(space)}")
    fields = {}
    for name in space[action_type]:
        value = raw.get(name)
        if value is None:
            raise LabelError((*path, name), f"a {action_type} label needs the field {name!r}")
        if not isinstance(value, str):
            raise LabelError((*path, name), f"the field {name!r} is a string, not {_kind(value)}")
        if len(value) > MAX_LABEL_FIELD:
            raise LabelError(
                (*path, name), f"{len(value):,} characters; a label's field has at most {MAX_LABEL_FIELD:,}"
            )
        fields[name] = value
    return Action(action_type, fields)


def _kind(value: object) -> str:
    """What JSON calls the type of `value`."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
