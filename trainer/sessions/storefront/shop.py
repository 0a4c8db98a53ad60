"""Which page comes next. Nothing in here knows the shopper, but for what the front page remembers of earlier visits."""

from random import Random
from typing import Literal

from trainer.sessions.storefront.catalogue import DEPARTMENTS, THINGS, Catalogue, Offer, Query, Refinement, Thing
from trainer.sessions.storefront.draws import below, sample
from trainer.sessions.storefront.views import Cart, Choice, Home, Kind, Product, Results, Reviews, View

Size = Literal["tiny", "full"]

RECALL = 0.7
"""The chance that the front page is made to show what the shopper wants among the recently viewed."""

_LAST_PAGE = 3
"""Lists end there, however much was found."""


class Shop:
    """The pages of one shop. The same seed and size, the same shop."""

    def __init__(self, seed: int, size: Size) -> None:
        tiny = size == "tiny"
        self.catalogue = Catalogue(seed, in_stock=0.45 if tiny else 0.36, most_offers=1 if tiny else 3)
        self._recent = 3 if tiny else 6
        self._departments = 1 if tiny else len(DEPARTMENTS)
        self._items = 3 if tiny else 24
        self._refinements = 1 if tiny else len(Refinement)

    def front_page(self, wanted: Thing, random: Random) -> View:
        """Where every session begins: with chance RECALL what is wanted takes a random place among the recently viewed,
        unless it has one by chance."""
        recent = sample(random, THINGS, self._recent)
        place = below(random, self._recent)
        if random.random() < RECALL and wanted not in recent:
            recent[place] = wanted
        departments = sorted(sample(random, range(len(DEPARTMENTS)), self._departments))
        home = Home(tuple((thing, self.catalogue.offer_of(thing)) for thing in recent), tuple(departments))
        return View(home, home)

    def after(self, view: View, choice: Choice, query: Query | None, random: Random) -> View:
        """What is seen after a choice that does not end the session; `query` is what was typed, for a search."""
        view = view._replace(step=view.step + 1)
        match choice.kind, view.page:
            case Kind.SEARCH, _ if query is not None:
                view = view._replace(searched=(*view.searched, query))
                return self._listed(view, Results(query, None, self._offered(random)))
            case Kind.DEPARTMENT, _:
                return self._listed(view, Results(None, choice.argument, self._offered(random)))
            case Kind.DEALS, _:
                return self._listed(view, Results(None, None, self._offered(random)))
            case Kind.RECENT, Home(recent=recent):
                return _opened(view, recent[choice.argument][1])
            case Kind.ITEM, Results(items=items):
                return _opened(view, items[choice.argument])
            case Kind.REFINE, Results() as page:
                applied = (*page.applied, Refinement(choice.argument))
                return self._listed(view, page._replace(applied=applied, number=1))
            case Kind.NEXT, Results() as page:
                return self._listed(view, page._replace(number=page.number + 1))
            case Kind.SIZE, Product() as page:
                return view._replace(page=page._replace(size=choice.argument))
            case Kind.REVIEWS, Product() as page:
                return view._replace(page=Reviews(page), reviewed=(*view.reviewed, page.offer.number))
            case Kind.ADD, Product(offer=offer):
                return view._replace(page=Cart(offer))
            case Kind.REMOVE, Cart():
                return view._replace(page=Cart(None))
            case Kind.BACK, Reviews(product=product):
                return view._replace(page=product)
            case ((Kind.BACK | Kind.CONTINUE), _):
                return view._replace(page=view.results or view.home)
        raise ValueError(f"{choice.kind} leads nowhere from {type(view.page).__name__}")

    def _offered(self, random: Random) -> tuple[Refinement, ...]:
        return tuple(sorted(sample(random, list(Refinement), self._refinements)))

    def _listed(self, view: View, page: Results) -> View:
        """The view with the items of a list's page filled in."""
        if page.query is not None:
            found = self.catalogue.search(page.query, page.applied)
        elif page.department is not None:
            found = self.catalogue.department(page.department, page.applied)
        else:
            found = self.catalogue.deals(page.applied)
        last = self._items * page.number
        is_last = page.number == _LAST_PAGE or last >= len(found)
        page = page._replace(items=tuple(found[last - self._items : last]), is_last=is_last)
        return view._replace(page=page, results=page)


def _opened(view: View, offer: Offer | None) -> View:
    assert offer is not None, "what is sold out has no page"
    return view._replace(page=Product(offer, None), opened=(*view.opened, offer.number))
