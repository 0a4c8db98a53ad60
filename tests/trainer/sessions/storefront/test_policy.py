"""What shoppers do, and what makes them do it."""

import numpy as np
import pytest

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, Offer, Query, Refinement, Thing
from trainer.sessions.storefront.policy import MAX_STEPS, SHARPNESS, alternatives, probabilities, utilities
from trainer.sessions.storefront.shoppers import Shopper, Shoppers
from trainer.sessions.storefront.views import LEAVE, Cart, Choice, Home, Kind, Page, Product, Results, Reviews, View

RED, BLUE = COLOURS.index("red"), COLOURS.index("blue")
WOOL, COTTON = MATERIALS.index("wool"), MATERIALS.index("cotton")
HAT, SCARF = 0, next(number for number, noun in enumerate(NOUNS) if noun.name == "scarf")
WISH = Thing(RED, WOOL, SCARF)
HOME = Home(((Thing(RED, WOOL, HAT), None),), (0,))


def offer(thing: Thing = WISH, price: int = 20, half_stars: int = 9, verdict: int = 1, number: int = 7) -> Offer:
    return Offer(number, thing, price, half_stars, 100, verdict, True, 0.5)


def view(page: Page, **memory: object) -> View:
    return View(page, HOME)._replace(step=2, **memory)


def results(*items: Offer, query: Query | None = None, offered: tuple[Refinement, ...] = ()) -> Results:
    return Results(query or Query(RED, -1, SCARF), None, offered, items=items, is_last=False)


def chances(seen: View, budget: int = 1, patience: int = 1, wish: Thing = WISH) -> dict[Choice, float]:
    shoppers = Shoppers.of([Shopper(wish, budget, patience)])
    offered = alternatives(seen, shoppers)
    row = probabilities(offered, shoppers)[0]
    return {alternative.choice: float(chance) for alternative, chance in zip(offered, row, strict=True)}


def searching(found: dict[Choice, float]) -> float:
    return sum(chance for choice, chance in found.items() if choice.kind is Kind.SEARCH)


PAGES = [
    HOME,
    results(offer()),
    results(),
    Product(offer(), None),
    Product(offer(Thing(RED, WOOL, HAT)), None),
    Reviews(Product(offer(), None)),
    Cart(offer()),
    Cart(None),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: type(page).__name__)
def test_chances_are_a_softmax_of_utilities_row_by_row(page: Page) -> None:
    shoppers = Shoppers.of([Shopper(WISH, budget, patience) for budget in range(3) for patience in range(3)])
    offered = alternatives(view(page), shoppers)
    worth = np.exp(SHARPNESS * utilities(offered, shoppers))
    table = probabilities(offered, shoppers)
    assert np.allclose(table, worth / worth.sum(axis=1, keepdims=True))
    assert len({alternative.choice for alternative in offered}) == len(offered)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: type(page).__name__)
def test_many_shoppers_at_once_do_what_each_would_do_alone(page: Page) -> None:
    many = [Shopper(Thing(colour, WOOL, SCARF), budget, 0) for colour in (RED, BLUE) for budget in range(3)]
    table = probabilities(alternatives(view(page), Shoppers.of(many)), Shoppers.of(many))
    for row, shopper in zip(table, many, strict=True):
        alone = Shoppers.of([shopper])
        assert np.allclose(row, probabilities(alternatives(view(page), alone), alone)[0])


def test_what_is_wanted_is_opened_rather_than_what_only_resembles_it() -> None:
    items = offer(Thing(BLUE, COTTON, SCARF), number=1), offer(Thing(RED, COTTON, SCARF), number=2), offer(number=3)
    found = chances(view(results(*items)))
    other, similar, wanted = (found[Choice(Kind.ITEM, place)] for place in range(3))
    assert wanted > similar > other


def test_a_page_without_what_is_wanted_sends_shoppers_to_another_search() -> None:
    with_it, without_it = results(offer()), results(offer(Thing(BLUE, COTTON, SCARF)))
    assert searching(chances(view(without_it))) > 5 * searching(chances(view(with_it)))


def test_nobody_types_the_same_query_twice() -> None:
    typed = Query(RED, WOOL, SCARF)
    found = chances(view(results(), searched=(typed, Query(RED, -1, SCARF))))
    assert [found[Choice(Kind.SEARCH, form)] > 0 for form in range(4)] == [False, False, True, True]


def test_a_thing_seen_before_is_seldom_opened_again() -> None:
    fresh, seen = chances(view(results(offer()))), chances(view(results(offer()), opened=(7,)))
    assert seen[Choice(Kind.ITEM)] < 0.2 * fresh[Choice(Kind.ITEM)]


def test_small_budgets_buy_no_dear_things() -> None:
    page = Product(offer(price=60), None)
    small, large = chances(view(page), budget=0), chances(view(page), budget=2)
    assert large[Choice(Kind.BUY)] > 5 * small[Choice(Kind.BUY)]
    assert small[LEAVE] > large[LEAVE]


def test_small_budgets_filter_by_price_where_much_is_too_dear() -> None:
    page = results(offer(price=30), offer(price=40, number=8), offered=(Refinement.UNDER_25,))
    filtered = Choice(Kind.REFINE, Refinement.UNDER_25)
    assert chances(view(page), budget=0)[filtered] > 3 * chances(view(page), budget=2)[filtered]


def test_the_impatient_leave_where_the_patient_go_on() -> None:
    page = results(offer(Thing(BLUE, COTTON, SCARF)))
    late = view(page)._replace(step=5)
    assert chances(late, patience=0)[LEAVE] > 3 * chances(late, patience=2)[LEAVE]


def test_patience_runs_out() -> None:
    page = results(offer(Thing(BLUE, COTTON, SCARF)))
    leaving = [chances(view(page)._replace(step=step))[LEAVE] for step in range(3, MAX_STEPS + 1)]
    assert leaving == sorted(leaving)
    assert leaving[-1] == 1


def test_poor_stars_and_poor_reviews_drive_shoppers_away() -> None:
    good, poor = chances(view(Product(offer(), None))), chances(view(Product(offer(half_stars=5), None)))
    assert good[Choice(Kind.BUY)] > 5 * poor[Choice(Kind.BUY)]
    page = Reviews(Product(offer(verdict=-1), None))
    unhappy, happy = chances(view(page, reviewed=(7,))), chances(view(Reviews(PAGES[5].product), reviewed=(7,)))
    assert unhappy[LEAVE] + searching(unhappy) > 2 * (happy[LEAVE] + searching(happy))


def test_reviews_count_only_once_they_are_read() -> None:
    good, bad = Product(offer(verdict=1), None), Product(offer(verdict=-1), None)
    assert chances(view(good)) == chances(view(bad))
    assert chances(view(good, reviewed=(7,))) != chances(view(bad, reviewed=(7,)))


def test_a_size_is_chosen_before_anything_is_bought() -> None:
    hat = offer(Thing(RED, WOOL, HAT))
    before = {choice.kind for choice in chances(view(Product(hat, None)))}
    after = {choice.kind for choice in chances(view(Product(hat, 1)))}
    assert Kind.SIZE in before
    assert not before & {Kind.ADD, Kind.BUY}
    assert Kind.SIZE not in after
    assert {Kind.ADD, Kind.BUY} <= after


def test_what_is_sold_out_or_not_there_cannot_be_chosen() -> None:
    assert Kind.RECENT not in {choice.kind for choice in chances(view(HOME))}
    assert Kind.NEXT not in {choice.kind for choice in chances(view(results(offer())._replace(is_last=True)))}
    assert Kind.BACK not in {choice.kind for choice in chances(view(Product(offer(), None)))}
    assert Kind.REVIEWS not in {choice.kind for choice in chances(view(Product(offer(), None), reviewed=(7,)))}
    assert Kind.CHECKOUT not in {choice.kind for choice in chances(view(Cart(None)))}


def test_everybody_leaves_at_the_last_step() -> None:
    for page in PAGES:
        assert chances(view(page)._replace(step=MAX_STEPS)) == {LEAVE: 1.0}
