"""The prompt: a shopper's role, the action space, and pages interleaved with what was done on them.

The parts are those of the paper's appendix B, in our own words: role play, the action space, what a `name` is, a
first-person rationale of one sentence, strict JSON and nothing else.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from reward_server.reward.action import ActionSpace

_KNOWN = {
    "click": "click a link, button, option or other element of the page",
    "type_and_submit": "type a text into an input field of the page and submit it",
    "input": "type a text into an input field of the page",
    "scroll": "scroll the page",
    "terminate": "stop shopping and close the browser",
}


PromptStyle = Literal["full", "short"]


class Message(TypedDict):
    """One message of a chat."""

    role: str
    content: str


def system_message(
    space: ActionSpace, persona: str | dict[str, Any] | None = None, style: PromptStyle = "full"
) -> Message:
    """What the model is asked to do under an action space, and who the shopper is where a persona is given.

    `full` explains everything, for a model that has never seen the task; `short` is for tiny models that are trained on
    it anyway, where the words would cost more than the pages.
    """
    parts = ["Shop as a person would. Answer in JSON: rationale, action."] if style == "short" else _instructions(space)
    if persona is not None:
        text = persona if isinstance(persona, str) else _json(persona)
        parts.append(f"Who you are:\n{text}")
    return {"role": "system", "content": _safe("\n\n".join(parts))}


def _instructions(space: ActionSpace) -> list[str]:
    forms = []
    for action_type in sorted(space, key=lambda name: (name == "terminate", name)):
        fields = {"type": action_type, **{name: f"<{name}>" for name in space[action_type]}}
        meaning = _KNOWN.get(action_type)
        forms.append(f"- {_json(fields)}" + (f": {meaning}" if meaning else ""))
    return [
        "You are a person shopping online. You see the pages of a web shop as simplified HTML, and what you have done "
        "so far. Say what you do next, as this person would: shoppers compare, hesitate, change their minds and leave.",
        "An action is one of:\n" + "\n".join(forms),
        'A "name" is the value of the `name` attribute of an element on the current page, copied exactly. Only '
        "elements with a `name` can be acted on.",
        "Answer with a single JSON object and nothing else: no code fence, no text before or after it. It has exactly "
        'two keys: "rationale", one sentence in the first person saying why you do this, and "action", one action of '
        "the list above. What you did before may be shown without its rationale; your answer always has both keys.\n"
        '{"rationale": "<why I do this>", "action": {"type": "<type>", …}}',
    ]


def earlier_text(actions: Sequence[str]) -> str:
    """What was done on pages that are not shown; ends in a blank line, at which any tokenizer splits."""
    if not actions:
        return ""
    listed = "\n".join(f"{number}. {action}" for number, action in enumerate(actions, 1))
    return _safe(f"What you did before, on pages not shown here:\n{listed}\n\n")


def page_text(html: str) -> str:
    """A page as it stands in a message."""
    return _safe(f"Page:\n{html}")


def answer_text(action: dict[str, str], rationale: str | None) -> str:
    """A turn of the model's: the whole answer, or the action alone where there is no rationale to show."""
    return _safe(_json({"action": action} if rationale is None else {"rationale": rationale, "action": action}))


def action_text(action: dict[str, str]) -> str:
    """An action on one line."""
    return _json(action)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _safe(text: str) -> str:
    """Text that stays text: OpenRLHF's loader splits a message at `<image>` (prompts_dataset.py:7), and `<|` opens the
    control tokens of chat templates, which a page could otherwise forge."""
    return text.replace("<image>", "<image >").replace("<|", "< |")
