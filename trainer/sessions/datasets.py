"""Training data for OpenRLHF: chats for SFT, prompts with labels for RL, out of sessions.

SFT rows have `messages` (`--data.input_key messages --data.multiturn --data.apply_chat_template`); RL rows have
`prompt` and `label` (`--data.input_key prompt --data.label_key label --data.apply_chat_template`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reward_server.reward.action import Action, LabelError, read_label
from trainer.sessions.context import Layout, Shown
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located, SessionRow
from trainer.sessions.prompt import action_text
from trainer.sessions.rules import Rules, faults_in
from trainer.sessions.schema import Step


class Built(NamedTuple):
    """A row of training data, and what is worth counting about it."""

    row: dict[str, Any]
    label_types: tuple[str, ...]
    """The action types that it teaches or asks for."""
    pages_shown: int
    pages_dropped: int
    """Pages before it that the budget or the scope left out."""


BuiltRow = Built | BadRow


@dataclass(frozen=True, slots=True)
class Builder:
    """How rows are built."""

    layout: Layout
    rules: Rules
    rationales: bool
    """Whether answers in the chat carry their rationales. SFT needs them; the paper's RL has none."""
    first_step: bool = False
    """Whether RL also asks for a session's first action, which the paper never does."""

    def sft(self, sessions: Iterable[SessionRow]) -> Iterator[BuiltRow]:
        """One row a session, or more where it does not fit the budget; every good step is learnt once."""
        for found in sessions:
            if isinstance(found, BadRow):
                yield found
                continue
            steps = _Steps.of(found, self)
            yield from steps.bad
            windows, left_out = steps.shown.session_windows([i for i in range(steps.count) if i not in steps.unfit])
            yield from (self._too_long(found, index) for index in left_out)
            for window in windows:
                numbers = range(window.first + 1, window.last + 2)
                yield Built(
                    {
                        "id": f"{found.session.session}/{window.first + 1}-{window.last + 1}",
                        "session": found.session.session,
                        "user": found.session.user,
                        "steps": list(numbers),
                        "messages": steps.shown.messages(window, with_answer=True),
                        "length": window.length,
                        "pages_dropped": steps.shown.pages_dropped(window),
                    },
                    tuple(steps.actions[number - 1].type for number in numbers),
                    len(numbers),
                    steps.shown.pages_dropped(window),
                )

    def rl(self, sessions: Iterable[SessionRow]) -> Iterator[BuiltRow]:
        """One row a step: (context, next action)."""
        for found in sessions:
            if isinstance(found, BadRow):
                yield found
                continue
            steps = _Steps.of(found, self)
            yield from steps.bad
            for index in range(0 if self.first_step else 1, steps.count):
                if index in steps.unfit:
                    continue
                window = steps.shown.prompt_window(index)
                if window is None:
                    yield self._too_long(found, index)
                    continue
                dropped = steps.shown.pages_dropped(window)
                yield Built(
                    {
                        "id": f"{found.session.session}/{index + 1}",
                        "session": found.session.session,
                        "user": found.session.user,
                        "step": index + 1,
                        "prompt": steps.shown.messages(window, with_answer=False),
                        "label": _label_text(found.session.steps[index]),
                        "last_action": action_text(steps.actions[index - 1].as_dict()) if index else None,
                        "length": window.length,
                        "pages_dropped": dropped,
                    },
                    (steps.actions[index].type,),
                    window.last - window.first + 1,
                    dropped,
                )

    def _too_long(self, found: Located, index: int) -> BadRow:
        reason = f"longer than {self.layout.budget:,} even with every other page left out"
        return found.bad(Fault.PROMPT_TOO_LONG, f"/steps/{index}/html", reason)


@dataclass(frozen=True, slots=True)
class _Steps:
    """A session's steps, read and judged."""

    shown: Shown
    actions: list[Action]
    unfit: set[int]
    """Steps that are no target."""
    bad: list[BadRow] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.actions)

    @classmethod
    def of(cls, found: Located, builder: Builder) -> "_Steps":
        session, rules = found.session, builder.rules
        faults = list(faults_in(session, rules))
        bad = [found.bad(fault.fault, fault.pointer, fault.reason) for fault in faults]
        unfit = {fault.step for fault in faults}
        unfit.update(index for index, step in enumerate(session.steps) if not step.html)
        if builder.rationales:
            for index, step in enumerate(session.steps):
                if not step.rationale and index not in unfit and Fault.NO_RATIONALE not in rules.allowed:
                    bad.append(found.bad(Fault.NO_RATIONALE, f"/steps/{index}/rationale", "the rationale is missing"))
                    unfit.add(index)
        hidden = {fault.step for fault in faults if fault.fault is Fault.HTML_TOO_LARGE}
        actions = [_read(step, rules) for step in session.steps]
        return cls(Shown(session, actions, hidden, builder.layout, builder.rationales), actions, unfit, bad)


def _read(step: Step, rules: Rules) -> Action:
    """The step's action; one that is no label is shown in the history as it stands."""
    try:
        return read_label(step.action, rules.space).action
    except LabelError:
        texts = {name: value for name, value in step.action.items() if isinstance(value, str)}
        return Action(texts.pop("type", "unknown"), texts)


def _label_text(step: Step) -> str:
    """The label as one JSON text: a table's columns would give every row the union of all labels' keys."""
    label: Mapping[str, Any] = {key: value for key, value in step.action.items() if value is not None}
    return action_text(dict(label))
