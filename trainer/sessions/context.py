"""What a model sees of a session: which pages, interleaved with which actions, within a budget.

    system       the task, the action space, the persona
    user         what was done on pages not shown, then the oldest page shown
    assistant    what was done on it
    user         the next page
    …
    user         the page to act on

Every answer stands after its own page, so that a model is never trained to act on a page it does not see.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from reward_server.reward.action import Action, ActionSpace
from trainer.sessions.prompt import (
    Message,
    PromptStyle,
    action_text,
    answer_text,
    earlier_text,
    page_text,
    system_message,
)
from trainer.sessions.schema import Session
from trainer.sessions.tokens import CLOSING, Measure, opening

Scope = Literal["whole-session", "latest-step"]
"""All pages seen so far, or the current one alone (the paper's Table 5)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How sessions are shown."""

    space: ActionSpace
    scope: Scope = "whole-session"
    style: PromptStyle = "full"
    persona: bool = False
    """Whether the system message says who the shopper is."""
    budget: int | None = None
    """The longest a chat may be, by `measure`; None for no limit."""
    measure: Measure = len


class Window(NamedTuple):
    """Steps `first` to `last` of a session, from 0, that are shown with their pages; those before without."""

    first: int
    last: int
    length: int
    """Of the whole chat, by the layout's measure."""


class Shown:
    """A session cut into the parts of a chat, each measured once however many chats it is in."""

    def __init__(
        self,
        session: Session,
        actions: Sequence[Action],
        rationales: Sequence[str | None],
        hidden: Set[int],
        layout: Layout,
    ) -> None:
        """`actions` and `rationales` are the steps' own, None where an answer shows no rationale; the pages of steps in
        `hidden` are never shown."""
        self._layout = layout
        self._html = [None if index in hidden else step.html for index, step in enumerate(session.steps)]
        self._actions = [action_text(action.as_dict()) for action in actions]
        self._answers = [
            answer_text(action.as_dict(), rationale) for action, rationale in zip(actions, rationales, strict=True)
        ]
        self._system = system_message(layout.space, session.persona if layout.persona else None, layout.style)
        self._earlier: dict[int, int] = {}

    def prompt_window(self, last: int) -> Window | None:
        """As many pages before step `last` as fit, the oldest left out first; None where even its own does not fit."""
        best = None
        length = self._opening + self._page_lengths[last] + self._answer_opening
        for first in range(last, -1, -1):
            if first < last:
                length += self._page_lengths[first] + self._answer_lengths[first]
            whole = length + self._earlier_length(first)
            if self._html[first] is None or not self._fits(whole):
                break
            best = Window(first, last, whole)
            if self._layout.scope == "latest-step":
                break
        return best

    def session_windows(self, targets: Sequence[int]) -> tuple[list[Window], list[int]]:
        """Windows that hold each target once, with its answer, in as few chats as fit; and the targets that do not fit.

        `targets` are steps with pages, in order. A step that is none ends a window: its answer is not to be learnt.
        """
        windows: list[Window] = []
        left_out = []
        for index in targets:
            piece = self._page_lengths[index] + self._answer_lengths[index]
            last = windows[-1] if windows else None
            joins = last is not None and last.last == index - 1 and self._layout.scope == "whole-session"
            whole = self._opening + self._earlier_length(index) + piece
            if last is not None and joins and self._fits(last.length + piece):
                windows[-1] = Window(last.first, index, last.length + piece)
            elif self._fits(whole):
                windows.append(Window(index, index, whole))
            else:
                left_out.append(index)
        return windows, left_out

    def length_alone(self, index: int, with_answer: bool) -> int:
        """The shortest chat that has a step's page."""
        end = self._answer_lengths[index] if with_answer else self._answer_opening
        return self._opening + self._earlier_length(index) + self._page_lengths[index] + end

    def messages(self, window: Window, with_answer: bool) -> list[Message]:
        """The chat of a window; `with_answer` ends it with the last step's answer instead of its page."""
        chat = [self._system]
        before = earlier_text(self._actions[: window.first])
        for index in range(window.first, window.last + 1):
            chat.append({"role": "user", "content": before + page_text(self._html[index] or "")})
            chat.append({"role": "assistant", "content": self._answers[index]})
            before = ""
        return chat if with_answer else chat[:-1]

    def pages_dropped(self, window: Window) -> int:
        """How many pages before a window were there to be shown."""
        return sum(html is not None for html in self._html[: window.first])

    def _fits(self, length: int) -> bool:
        return self._layout.budget is None or length <= self._layout.budget

    def _earlier_length(self, first: int) -> int:
        if first not in self._earlier:
            self._earlier[first] = self._layout.measure(earlier_text(self._actions[:first]))
        return self._earlier[first]

    @cached_property
    def _opening(self) -> int:
        return self._layout.measure(opening("system") + self._system["content"] + CLOSING)

    @cached_property
    def _answer_opening(self) -> int:
        return self._layout.measure(opening("assistant"))

    @cached_property
    def _page_lengths(self) -> list[int]:
        measure = self._layout.measure
        user = measure(opening("user"))
        return [0 if html is None else user + measure(page_text(html) + CLOSING) for html in self._html]

    @cached_property
    def _answer_lengths(self) -> list[int]:
        return [self._layout.measure(opening("assistant") + answer + CLOSING) for answer in self._answers]
