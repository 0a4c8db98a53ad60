"""What shoppers do: a discrete-choice model, the only place where behaviour is written down.

Every alternative on a page has a utility, the sum of named terms, and is chosen with probability softmax(SHARPNESS ×
utility). Terms are columns over many shoppers at once, so that the same code moves the actual shopper and tells an
observer how likely everyone else would have done the same. The constants were tuned together for the shares of action
types and the predictability that tests/trainer/sessions/storefront/test_behaviour.py asks for.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from trainer.sessions.storefront import taste
from trainer.sessions.storefront.catalogue import PRICE_LIMITS, Offer, Refinement
from trainer.sessions.storefront.shoppers import DEPARTMENT_OF, Floats, Shoppers, code_of
from trainer.sessions.storefront.views import FORMS, LEAVE, Cart, Choice, Home, Kind, Product, Results, Reviews, View

MAX_STEPS = 9
"""The last action that a session may have; by then everybody leaves."""
SHARPNESS = 2.5


class Reason(StrEnum):
    """The terms of utilities: what speaks for or against an action."""

    USUAL = "usual"
    """How common it is, whoever is shopping."""
    WISH = "wish"
    """Knowing what one wants, or having found it."""
    FIT = "fit"
    """How well an offer agrees with the wish in noun, colour and material."""
    PRICE = "price"
    STARS = "stars"
    REVIEWS = "reviews"
    ORDER = "order"
    """People look at the top of a list."""
    SEEN = "seen"
    """It was done or opened before."""
    NARROW = "narrow"
    """A query can say more than the last one did."""
    NOTHING_FITS = "nothing_fits"
    ALL_DEAR = "all_dear"
    WRONG = "wrong"
    """What was opened is not what is wanted."""
    DEAR = "dear"
    POOR_STARS = "poor_stars"
    POOR_REVIEWS = "poor_reviews"
    UNSURE = "unsure"
    """Neither clearly good nor clearly bad."""
    HURRY = "hurry"
    TIRED = "tired"


Terms = dict[Reason, Floats | float]


class Alternative(NamedTuple):
    """Something that can be done, and what speaks for it to each shopper."""

    choice: Choice
    terms: Terms


def alternatives(view: View, shoppers: Shoppers) -> list[Alternative]:
    """Everything that has a chance of being done on a page; the same for all shoppers."""
    if view.step >= MAX_STEPS:
        return [Alternative(LEAVE, {Reason.TIRED: 1.0})]
    match view.page:
        case Home() as page:
            found = _on_home(page, view, shoppers)
        case Results() as page:
            found = _on_results(page, view, shoppers)
        case Product() as page:
            found = _on_product(page, view, shoppers)
        case Reviews(product=product):
            found = _on_reviews(product.offer, view, shoppers)
        case Cart() as page:
            found = _on_cart(page, view, shoppers)
    return list(found)


def utilities(offered: list[Alternative], shoppers: Shoppers) -> Floats:
    """What each alternative is worth to each shopper. Shape (shoppers, alternatives)."""
    worth = np.empty((len(offered), len(shoppers.noun)))
    for row, alternative in enumerate(offered):
        worth[row] = sum(alternative.terms.values())
    return worth.T


def probabilities(offered: list[Alternative], shoppers: Shoppers) -> Floats:
    """How likely each shopper takes each alternative: softmax by row. Shape (shoppers, alternatives)."""
    chances = utilities(offered, shoppers)
    chances *= SHARPNESS
    np.exp(chances, out=chances)
    chances /= chances.sum(axis=1, keepdims=True)
    return chances


def _on_home(page: Home, view: View, shoppers: Shoppers) -> Iterator[Alternative]:
    yield from _searches(view, shoppers, {Reason.WISH: 2.2})
    yield Alternative(Choice(Kind.DEALS), {Reason.USUAL: -0.9, Reason.PRICE: np.subtract(0.8, shoppers.budget)})
    for department in page.departments:
        wanted = np.where(DEPARTMENT_OF[shoppers.noun] == department, 0.2, -2.5)
        yield Alternative(Choice(Kind.DEPARTMENT, department), {Reason.WISH: wanted})
    for place, (thing, offer) in enumerate(page.recent):
        if offer is not None:
            yield Alternative(
                Choice(Kind.RECENT, place),
                {
                    Reason.USUAL: -1.4,
                    Reason.FIT: taste.fit(thing, shoppers),
                    Reason.PRICE: taste.price(offer, shoppers),
                },
            )
    yield _leave(view, shoppers, {Reason.USUAL: -0.6})


def _on_results(page: Results, view: View, shoppers: Shoppers) -> Iterator[Alternative]:
    items = [_item(place, offer, view, shoppers) for place, offer in enumerate(page.items)]
    best = utilities(items, shoppers).max(axis=1, initial=-2.0)
    nothing_fits = np.clip(1.0 - best / 2.6, 0.0, 1.5)
    all_dear = taste.share_over_budget(page.items, shoppers)

    yield from _searches(view, shoppers, {Reason.USUAL: -0.8, Reason.NOTHING_FITS: 2.1 * nothing_fits})
    for refinement in page.open_refinements:
        yield _refine(refinement, page, shoppers, all_dear)
    yield from items
    if not page.is_last:
        usual = -1.1 + 0.12 * (shoppers.patient_for - 4)
        yield Alternative(Choice(Kind.NEXT), {Reason.USUAL: usual, Reason.NOTHING_FITS: nothing_fits})
    doubts: Terms = {Reason.NOTHING_FITS: 1.3 * nothing_fits, Reason.ALL_DEAR: 0.5 * all_dear}
    yield _leave(view, shoppers, {Reason.USUAL: -0.05, **doubts})


def _item(place: int, offer: Offer, view: View, shoppers: Shoppers) -> Alternative:
    terms: Terms = {
        Reason.FIT: taste.fit(offer.thing, shoppers),
        Reason.PRICE: taste.price(offer, shoppers),
        Reason.STARS: 0.5 * taste.stars(offer),
        Reason.ORDER: -0.2 * place,
    }
    if offer.number in view.opened:
        terms[Reason.SEEN] = -3.5
    return Alternative(Choice(Kind.ITEM, place), terms)


def _refine(refinement: Refinement, page: Results, shoppers: Shoppers, all_dear: Floats) -> Alternative:
    terms: Terms = {Reason.USUAL: 0.05 - 0.15 * len(page.open_refinements)}
    if refinement in PRICE_LIMITS:
        terms[Reason.PRICE] = 1.6 * all_dear - np.abs(np.log2(PRICE_LIMITS[refinement] / shoppers.spends))
    elif refinement is Refinement.CHEAPEST:
        terms[Reason.PRICE] = 1.2 * all_dear - 0.4
    elif refinement is Refinement.STARS:
        poor = sum(offer.half_stars < 8 for offer in page.items) / max(1, len(page.items))
        terms[Reason.POOR_STARS] = 1.2 * poor - 0.4
    else:
        terms[Reason.HURRY] = 0.5 - 0.15 * shoppers.patient_for
    return Alternative(Choice(Kind.REFINE, int(refinement)), terms)


def _on_product(page: Product, view: View, shoppers: Shoppers) -> Iterator[Alternative]:
    offer = page.offer
    worth = taste.worth(offer, view, shoppers)
    wanted: Terms = {Reason.WISH: 2.0 * np.clip(worth - 1.5, -2.0, 0.8)}
    doubts = _doubts(offer, view, shoppers)

    yield from _searches(view, shoppers, {Reason.USUAL: -0.3, **_scaled(doubts, 0.35)})
    if page.needs_size:
        for size in range(len(offer.sizes)):
            yield Alternative(Choice(Kind.SIZE, size), {Reason.USUAL: 0.6 if size == 1 else -0.3, **wanted})
    else:
        settled = 0.0 if page.size is None else 0.6
        hurry = 0.1 * (4 - shoppers.patient_for)
        yield Alternative(Choice(Kind.ADD), {Reason.USUAL: settled + 0.1, **wanted})
        yield Alternative(Choice(Kind.BUY), {Reason.USUAL: settled + 0.5, **wanted, Reason.HURRY: hurry})
    if offer.number not in view.reviewed:
        unsure = np.maximum(0.9 - 0.9 * np.abs(worth - 1.2), -1.5)
        yield Alternative(Choice(Kind.REVIEWS), {Reason.USUAL: -0.5, Reason.UNSURE: unsure})
    if view.results is not None:
        yield Alternative(Choice(Kind.BACK), {Reason.USUAL: -0.6, **_scaled(doubts, 0.3)})
    wrong = 0.2 * doubts[Reason.WRONG]
    yield _leave(view, shoppers, {Reason.USUAL: 1.0, **_scaled(doubts, 0.6), Reason.WRONG: wrong})


def _on_reviews(offer: Offer, view: View, shoppers: Shoppers) -> Iterator[Alternative]:
    doubts = _doubts(offer, view, shoppers)
    verdict = taste.verdict(offer, view)
    wanted = 0.5 * np.clip(taste.worth(offer, view, shoppers) - verdict, -2.0, 2.0)

    yield from _searches(view, shoppers, {Reason.USUAL: -0.5, **_scaled(doubts, 0.4)})
    yield Alternative(Choice(Kind.BACK), {Reason.USUAL: 0.5, Reason.WISH: wanted, Reason.REVIEWS: 0.5 * verdict})
    yield _leave(view, shoppers, {Reason.USUAL: -0.4, **_scaled(doubts, 0.45)})


def _on_cart(page: Cart, view: View, shoppers: Shoppers) -> Iterator[Alternative]:
    yield from _searches(view, shoppers, {Reason.USUAL: -1.5})
    if page.offer is None:
        yield Alternative(Choice(Kind.CONTINUE), {Reason.USUAL: 0.0})
        yield _leave(view, shoppers, {Reason.USUAL: 0.3})
        return
    dear = -0.5 * taste.price(page.offer, shoppers)
    yield Alternative(Choice(Kind.REMOVE), {Reason.USUAL: -0.9, Reason.DEAR: dear})
    yield Alternative(Choice(Kind.CHECKOUT), {Reason.USUAL: 0.4, Reason.WISH: 0.8})
    yield Alternative(Choice(Kind.CONTINUE), {Reason.USUAL: -0.7})
    yield _leave(view, shoppers, {Reason.USUAL: -0.8, Reason.DEAR: dear})


def _searches(view: View, shoppers: Shoppers, terms: Mapping[Reason, Floats | float]) -> Iterator[Alternative]:
    """One alternative for each form of query; what was typed before is not typed again."""
    last = view.searched[-1] if view.searched else None
    typed = [code_of(query) for query in view.searched]
    for form, (colour, material) in enumerate(FORMS):
        usual = -0.9 + 0.9 * colour + 0.2 * material
        full: Terms = {**terms, Reason.USUAL: terms.get(Reason.USUAL, 0.0) + usual}
        if last is not None:
            full[Reason.NARROW] = 0.6 * ((colour and last.colour < 0) + (material and last.material < 0))
            again = np.any([shoppers.codes[form] == code for code in typed], axis=0)
            full[Reason.SEEN] = np.where(again, -np.inf, 0.0)
        elif colour and material:
            full[Reason.USUAL] -= 0.3
        yield Alternative(Choice(Kind.SEARCH, form), full)


def _leave(view: View, shoppers: Shoppers, terms: Mapping[Reason, Floats | float]) -> Alternative:
    return Alternative(LEAVE, {**terms, Reason.TIRED: 0.9 * np.maximum(view.step - shoppers.patient_for, -3.0)})


def _doubts(offer: Offer, view: View, shoppers: Shoppers) -> Terms:
    """What speaks against an opened offer."""
    return {
        Reason.WRONG: np.clip(1.2 - taste.fit(offer.thing, shoppers), -1.0, 3.0),
        Reason.DEAR: -1.2 * taste.price(offer, shoppers),
        Reason.POOR_STARS: -1.3 * taste.stars(offer),
        Reason.POOR_REVIEWS: -1.7 * taste.verdict(offer, view),
    }


def _scaled(terms: Terms, factor: float) -> Terms:
    return {reason: factor * term for reason, term in terms.items()}
