"""Training data for OpenRLHF: chats for SFT, prompts with labels for RL, out of sessions.

SFT rows have `messages` (`--data.input_key messages --data.multiturn --data.apply_chat_template`); RL rows have
`prompt` and `label` (`--data.input_key prompt --data.label_key label --data.apply_chat_template`).
"""

from collections.abc import Iterable, Iterator
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
    history_rationales: bool = False
    """Whether RL shows the rationales of past turns, which the paper's has none of."""
    first_step: bool = False
    """Whether RL also asks for a session's first action, which the paper never does."""

    def sft(self, sessions: Iterable[SessionRow]) -> Iterator[BuiltRow]:
        """One row a session, or more where it does not fit the budget; every good step is learnt once."""
        for steps in self._judged(sessions, learns=True):
            if isinstance(steps, BadRow):
                yield steps
                continue
            found = steps.found
            windows, left_out = steps.shown.session_windows([i for i in range(steps.count) if i not in steps.unfit])
            yield from (self._too_long(steps, index, with_answer=True) for index in left_out)
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
        for steps in self._judged(sessions, learns=False):
            if isinstance(steps, BadRow):
                yield steps
                continue
            found = steps.found
            for index in range(0 if self.first_step else 1, steps.count):
                if index in steps.unfit:
                    continue
                window = steps.shown.prompt_window(index)
                if window is None:
                    yield self._too_long(steps, index, with_answer=False)
                    continue
                dropped = steps.shown.pages_dropped(window)
                yield Built(
                    {
                        "id": f"{found.session.session}/{index + 1}",
                        "session": found.session.session,
                        "user": found.session.user,
                        "step": index + 1,
                        "prompt": steps.shown.messages(window, with_answer=False),
                        "label": steps.label_text(index),
                        "last_action": steps.label_text(index - 1) if index else None,
                        "length": window.length,
                        "pages_dropped": dropped,
                    },
                    (steps.actions[index].type,),
                    window.last - window.first + 1,
                    dropped,
                )

    def _judged(self, sessions: Iterable[SessionRow], learns: bool) -> Iterator["_Steps | BadRow"]:
        """Each session's steps, after what is wrong with them; `learns` says whether rationales are to be learnt."""
        for found in sessions:
            if isinstance(found, BadRow):
                yield found
                continue
            steps = _Steps.of(found, self, learns)
            yield from steps.bad
            yield steps

    def _too_long(self, steps: "_Steps", index: int, with_answer: bool) -> BadRow:
        length = steps.shown.length_alone(index, with_answer)
        reason = f"{length:,} long even with every other page left out; at most {self.layout.budget:,} are asked for"
        return steps.found.bad(Fault.PROMPT_TOO_LONG, f"/steps/{index}/html", reason)


@dataclass(frozen=True, slots=True)
class _Steps:
    """A session's steps, read and judged."""

    found: Located
    shown: Shown
    actions: list[Action]
    unfit: set[int]
    """Steps that are no target."""
    unlabelled: set[int]
    """Steps whose action is no label."""
    bad: list[BadRow] = field(default_factory=list)

    def label_text(self, index: int) -> str | None:
        """A step's label as one JSON text, for columns of a table would give every row the union of all labels' keys;
        None where the action is no label."""
        if index in self.unlabelled:
            return None
        action = self.found.session.steps[index].action
        return action_text({key: value for key, value in action.items() if value is not None})

    @property
    def count(self) -> int:
        return len(self.actions)

    @classmethod
    def of(cls, found: Located, builder: Builder, learns: bool) -> "_Steps":
        session, rules = found.session, builder.rules
        faults = list(faults_in(session, rules))
        bad = [found.bad(fault.fault, fault.pointer, fault.reason) for fault in faults]
        unfit = {fault.step for fault in faults}
        unfit.update(index for index, step in enumerate(session.steps) if not step.html)
        labels = [_read(step, rules) for step in session.steps]
        unlabelled = {index for index, label in enumerate(labels) if label is None}
        unfit |= unlabelled
        rationales: list[str | None] = [
            step.rationale if builder.history_rationales else None for step in session.steps
        ]
        if learns:
            rationales = [step.rationale or "" for step in session.steps]
            absent = [index for index, text in enumerate(rationales) if not text and index not in unfit]
            if Fault.NO_RATIONALE not in rules.allowed:
                bad += [found.bad(Fault.NO_RATIONALE, f"/steps/{index}/rationale", "it is missing") for index in absent]
                unfit.update(absent)
        hidden = {fault.step for fault in faults if fault.fault is Fault.HTML_TOO_LARGE}
        actions = [label or _as_it_stands(step) for label, step in zip(labels, session.steps, strict=True)]
        shown = Shown(session, actions, rationales, hidden, builder.layout)
        return cls(found, shown, actions, unfit, unlabelled, bad)


def _read(step: Step, rules: Rules) -> Action | None:
    """The step's action; None where it is no label."""
    try:
        return read_label(step.action, rules.space).action
    except LabelError:
        return None


def _as_it_stands(step: Step) -> Action:
    """What the history shows of an action that is no label."""
    texts = {name: value for name, value in step.action.items() if isinstance(value, str)}
    return Action(texts.pop("type", "unknown"), texts)
