"""What makes a step of a session unfit to learn from or to be judged by."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import NamedTuple

from reward_server.reward.action import ActionSpace, LabelError, read_label
from trainer.sessions.faults import Fault
from trainer.sessions.page import PageNames, names_on, well_formed
from trainer.sessions.schema import Session, Step

LONGEST_PAGE = 5_000_000
"""Characters of a page by default; the longest simplified page of OPeRA has 626 thousand."""

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of every step."""

    space: ActionSpace
    """The action space of the reward spec that will judge it."""
    longest_page: int = LONGEST_PAGE
    allowed: frozenset[Fault] = frozenset()
    """Faults that are let pass."""


class StepFault(NamedTuple):
    """What is wrong with one step."""

    step: int
    """Which step of its session, from 0."""
    fault: Fault
    pointer: str
    """The JSON pointer inside the session."""
    reason: str


def faults_in(session: Session, rules: Rules, pages: PageNames | None = None) -> Iterator[StepFault]:
    """Everything that is wrong with a session's steps, in order; a step may have several faults.

    `pages` are the names on its pages, where they are known already.
    """
    before = None
    for index, step in enumerate(session.steps):
        place = f"/steps/{index}"
        for fault, field, reason in _faults_of(step, index, rules, None if pages is None else pages[index]):
            if fault not in rules.allowed:
                yield StepFault(index, fault, f"{place}/{field}", reason)
        if step.timestamp is None:
            continue
        if before is not None and step.timestamp < before and Fault.UNORDERED_STEPS not in rules.allowed:
            reason = f"{step.timestamp.isoformat()} is before the step's before it, {before.isoformat()}"
            yield StepFault(index, Fault.UNORDERED_STEPS, f"{place}/timestamp", reason)
        before = step.timestamp


def _faults_of(step: Step, index: int, rules: Rules, names: Set[str] | None) -> Iterator[tuple[Fault, str, str]]:
    page_fault = _page_fault(step.html, index, rules)
    if page_fault is not None:
        yield page_fault[0], "html", page_fault[1]
    try:
        action = read_label(step.action, rules.space).action
    except LabelError as error:
        yield Fault.BAD_ACTION, "/".join(("action", *error.path)), error.reason
        return
    name = action.fields.get("name")
    if name is None or not step.html or (page_fault is not None and page_fault[0] is Fault.HTML_TOO_LARGE):
        return
    if name not in (names_on(step.html) if names is None else names):
        yield Fault.NOT_ON_PAGE, "action/name", f"no element of the page is called {name[:_SHOWN]!r}"


def _page_fault(html: str | None, index: int, rules: Rules) -> tuple[Fault, str] | None:
    if not html or html.isspace():
        return None if index == 0 and html is None else (Fault.NO_HTML, "the page is missing")
    if len(html) > rules.longest_page:
        return Fault.HTML_TOO_LARGE, f"{len(html):,} characters; at most {rules.longest_page:,} are taken"
    problem = well_formed(html)
    return None if problem is None else (Fault.MALFORMED_HTML, problem)
