"""Which page goes with which action: some data sets store the page *after* an action in the action's own row.

ShopCART does (92 % of the names match the page before, 18 % the page in the row). Paired wrongly, a model learns to
name elements of pages it has never seen; so the pairing is tested on the data at hand, never assumed.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from trainer.sessions.page import PageNames, names_by_page
from trainer.sessions.schema import Session

Pairing = Literal["before", "after"]
"""Whether the page in an action's row is the one the shopper saw before acting, or the one that came after."""

FEWEST = 30
"""Actions on a named element that a verdict needs."""

_MARGIN = 0.2


class PairingTest(NamedTuple):
    """How often the element acted on is on the page of its own row, and on the page of the row before."""

    actions: int
    """Actions on a named element, a session's first aside, with both pages recorded."""
    on_own_page: int
    on_page_before: int

    @property
    def verdict(self) -> Pairing | None:
        """What the data say; None where they do not say it clearly."""
        if self.actions < FEWEST:
            return None
        difference = (self.on_own_page - self.on_page_before) / self.actions
        if abs(difference) < _MARGIN:
            return None
        return "before" if difference > 0 else "after"

    def __str__(self) -> str:
        if not self.actions:
            return "no action, a session's first aside, has a named element and two recorded pages"
        own, before = self.on_own_page / self.actions, self.on_page_before / self.actions
        return (
            f"of {self.actions:,} elements acted on, {own:.0%} are on the page of their own row, "
            f"{before:.0%} on the page of the row before"
        )


def examine_pairing(sessions: Iterable[Session]) -> PairingTest:
    """Count where the elements acted on are found."""
    total = PairingTest(0, 0, 0)
    for session in sessions:
        total = PairingTest(*(old + new for old, new in zip(total, count_names(session), strict=True)))
    return total


def count_names(session: Session, pages: PageNames | None = None) -> PairingTest:
    """The same for one session; `pages` are the names on its pages, where they are known already."""
    actions = own = before = 0
    pages = names_by_page(session) if pages is None else pages
    for index in range(1, len(session.steps)):
        name, page, page_before = session.steps[index].action.get("name"), pages[index], pages[index - 1]
        if not isinstance(name, str) or page is None or page_before is None:
            continue
        actions += 1
        own += name in page
        before += name in page_before
    return PairingTest(actions, own, before)


def move_pages(session: Session) -> Session:
    """The session with each page at the step it was seen before: the first step's is not known, the last is gone."""
    pages = [None, *(step.html for step in session.steps[:-1])]
    steps = [step.model_copy(update={"html": page}) for step, page in zip(session.steps, pages, strict=True)]
    return session.model_copy(update={"steps": steps})
