"""Why, in the shopper's own words."""

import re

import numpy as np
import pytest

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, Offer, Query, Thing
from trainer.sessions.storefront.draws import random_for
from trainer.sessions.storefront.policy import Alternative, Reason
from trainer.sessions.storefront.rationales import rationale
from trainer.sessions.storefront.shoppers import Shopper
from trainer.sessions.storefront.views import LEAVE, Choice, Home, Kind, Page, Product, Results, View

RED, BLUE = COLOURS.index("red"), COLOURS.index("blue")
WOOL, COTTON = MATERIALS.index("wool"), MATERIALS.index("cotton")
SCARF, SOCKS = (next(n for n, noun in enumerate(NOUNS) if noun.name == name) for name in ("scarf", "socks"))
WISH = Thing(RED, WOOL, SCARF)
SEARCH = Choice(Kind.SEARCH)


def offer(thing: Thing = WISH, price: int = 20) -> Offer:
    return Offer(7, thing, price, 5, 100, 0, True, 0.5)


def listed(*items: Offer) -> Results:
    return Results(Query(RED, -1, SCARF), None, (), items=items)


def said(choice: Choice, terms: dict[Reason, float], page: Page, wish: Thing = WISH, **memory: object) -> set[str]:
    """Everything that is said for a reason, by a shopper who spends $35."""
    view = View(page, Home((), ()))._replace(**memory)
    alternative = Alternative(choice, dict(terms))
    return {rationale(alternative, 0, view, Shopper(wish, 1, 1), random_for(number)) for number in range(60)}


def test_the_term_that_speaks_most_for_the_action_is_the_reason() -> None:
    page = Product(offer(price=50), None)
    tired = said(LEAVE, {Reason.USUAL: 9.0, Reason.TIRED: 1.0, Reason.DEAR: 0.5}, page)
    dear = said(LEAVE, {Reason.USUAL: 9.0, Reason.TIRED: 0.5, Reason.DEAR: 1.0}, page)
    assert all("look" in text or "long" in text for text in tired)
    assert all("more than I want to pay" in text or "$50" in text for text in dear)


def test_a_term_is_read_at_the_shopper_s_own_place() -> None:
    terms = {Reason.TIRED: np.array([1.0, -1.0]), Reason.POOR_STARS: np.array([-1.0, 1.0])}
    view = View(Product(offer(), None), Home((), ()))
    texts = [
        rationale(Alternative(LEAVE, dict(terms)), place, view, Shopper(WISH, 1, 1), random_for(0)) for place in (0, 1)
    ]
    assert "2.5 stars" not in texts[0]
    assert "2.5 stars" in texts[1]


def test_what_agrees_with_the_wish_is_named() -> None:
    def opened(thing: Thing) -> set[str]:
        return said(Choice(Kind.ITEM), {Reason.FIT: 1.0}, listed(offer(thing)))

    assert "This is just what I want." in opened(WISH)
    assert all("red" in text for text in opened(Thing(RED, COTTON, SCARF)))
    assert all("wool" in text for text in opened(Thing(BLUE, WOOL, SCARF)))


def test_a_list_is_left_for_what_is_wrong_with_it() -> None:
    terms = {Reason.NOTHING_FITS: 1.0}
    absent = said(SEARCH, terms, listed(offer(Thing(BLUE, WOOL, SCARF))))
    dear = said(SEARCH, terms, listed(offer(price=50)))
    seen = said(SEARCH, terms, listed(offer()), opened=(7,))
    otherwise = said(SEARCH, terms, listed(offer()))
    assert any("I do not find a red wool scarf here" in text for text in absent)
    assert all("costs too much" in text or "pay that much" in text for text in dear)
    assert all("I have seen the one I want" in text for text in seen)
    assert all("not happy" in text for text in otherwise)


def test_things_that_come_in_pairs_have_no_article() -> None:
    texts = said(SEARCH, {Reason.WISH: 1.0}, Home((), ()), wish=Thing(RED, WOOL, SOCKS))
    assert "I want red wool socks, so I search for it." in texts
    assert "I want a red wool scarf, so I search for it." in said(SEARCH, {Reason.WISH: 1.0}, Home((), ()))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.SIZE, Kind.CHECKOUT)])
def test_there_are_words_for_every_action_without_a_good_reason(kind: Kind) -> None:
    page: Page = Home(((WISH, offer()),), ()) if kind is Kind.RECENT else listed(offer())
    for text in said(Choice(kind), {Reason.USUAL: 1.0, Reason.FIT: -1.0}, page):
        assert re.fullmatch(r"[^.!?]*\bI\b[^.!?]*\.", text)
