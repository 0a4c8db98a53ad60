"""What a shopper sees at one moment: a page, and what is remembered of the pages before. The observer sees the same."""

from enum import StrEnum
from typing import NamedTuple

from trainer.sessions.storefront.catalogue import NOUNS, Offer, Query, Refinement, Thing


class Kind(StrEnum):
    """What can be done, somewhere in the shop."""

    SEARCH = "search"
    """Type a query and submit it; the argument is its form, an index into FORMS."""
    RECENT = "recent"
    DEPARTMENT = "department"
    DEALS = "deals"
    ITEM = "item"
    REFINE = "refine"
    NEXT = "next"
    SIZE = "size"
    ADD = "add"
    BUY = "buy"
    REVIEWS = "reviews"
    BACK = "back"
    CHECKOUT = "checkout"
    REMOVE = "remove"
    CONTINUE = "continue"
    LEAVE = "leave"


class Choice(NamedTuple):
    """One thing that can be done on a page."""

    kind: Kind
    argument: int = 0
    """Which recent thing, department, item, refinement, size or form of query."""

    @property
    def type(self) -> str:
        """The action type of its label."""
        if self.kind is Kind.SEARCH:
            return "type_and_submit"
        return "terminate" if self.kind is Kind.LEAVE else "click"

    @property
    def key(self) -> str:
        """Which element of the raw page it is done with: the value of its `data-key`."""
        return SEARCH_KEY if self.kind is Kind.SEARCH else f"{self.kind}-{self.argument}"

    @property
    def ends(self) -> bool:
        """Whether the session is over after it."""
        return self.kind in (Kind.LEAVE, Kind.BUY, Kind.CHECKOUT)


SEARCH_KEY = "search"
LEAVE = Choice(Kind.LEAVE)
FORMS = ((True, True), (True, False), (False, True), (False, False))
"""Whether a query names the colour, and whether it names the material; it always names the noun."""


class Home(NamedTuple):
    """The shop's front page."""

    recent: tuple[tuple[Thing, Offer | None], ...]
    """Recently viewed things, with an offer where they are not sold out."""
    departments: tuple[int, ...]


class Results(NamedTuple):
    """A page of what was searched for, of a department, or of the deals."""

    query: Query | None
    """None for a department and for the deals."""
    department: int | None
    """None for a search and for the deals."""
    offered: tuple[Refinement, ...]
    applied: tuple[Refinement, ...] = ()
    number: int = 1
    """Which page of the list, from 1."""
    items: tuple[Offer, ...] = ()
    is_last: bool = True

    @property
    def open_refinements(self) -> tuple[Refinement, ...]:
        """Those that are offered and not applied yet."""
        return tuple(refinement for refinement in self.offered if refinement not in self.applied)


class Product(NamedTuple):
    """The page of one offer."""

    offer: Offer
    size: int | None
    """The size chosen, as an index; None before."""

    @property
    def needs_size(self) -> bool:
        """Whether nothing can be bought before a size is chosen."""
        return self.size is None and bool(NOUNS[self.offer.thing.noun].sizes)


class Reviews(NamedTuple):
    """What buyers say of one offer; leads back to its page."""

    product: Product


class Cart(NamedTuple):
    """What is to be bought: one offer, or nothing after it was removed."""

    offer: Offer | None


Page = Home | Results | Product | Reviews | Cart


class View(NamedTuple):
    """A page and the memory of those before."""

    page: Page
    home: Home
    """The front page, to which one goes back where no list was seen."""
    step: int = 1
    """Which action of the session comes next, from 1."""
    searched: tuple[Query, ...] = ()
    opened: tuple[int, ...] = ()
    """Numbers of the offers whose pages were seen."""
    reviewed: tuple[int, ...] = ()
    """Numbers of the offers whose reviews were read."""
    results: Results | None = None
    """The list seen last, to which one goes back."""
