"""What the shop sells, and how it is found."""

from collections import Counter
from itertools import pairwise

import pytest

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, THINGS, Catalogue, Query, Refinement

CATALOGUE = Catalogue(seed=0, in_stock=0.45, most_offers=1)
RED, WOOL, HAT = COLOURS.index("red"), MATERIALS.index("wool"), 0


def test_every_noun_comes_in_ten_colours_and_four_materials() -> None:
    assert len(THINGS) == len(set(THINGS)) == 20 * 10 * 4
    assert all(len(set(noun.materials)) == 4 for noun in NOUNS)


def test_things_and_queries_read_as_a_shopper_would_say_them() -> None:
    assert [str(thing) for thing in THINGS if thing == (RED, WOOL, HAT)] == ["red wool hat"]
    assert str(Query(RED, WOOL, HAT)) == "red wool hat"
    assert str(Query(RED, -1, HAT)) == "red hat"
    assert str(Query(-1, WOOL, HAT)) == "wool hat"
    assert str(Query(-1, -1, HAT)) == "hat"


def test_a_search_finds_the_noun_alone_and_puts_what_agrees_more_first() -> None:
    found = CATALOGUE.search(Query(RED, WOOL, HAT), [])
    agreement = [(offer.thing.colour == RED) + (offer.thing.material == WOOL) for offer in found]
    assert {offer.thing.noun for offer in found} == {HAT}
    assert agreement == sorted(agreement, reverse=True)
    assert len(found) == sum(offer.thing.noun == HAT for offer in CATALOGUE.offers)


@pytest.mark.parametrize(
    ("refinement", "limit"), [(Refinement.UNDER_25, 25), (Refinement.UNDER_50, 50)], ids=["under 25", "under 50"]
)
def test_a_price_filter_leaves_in_what_costs_less(refinement: Refinement, limit: int) -> None:
    everything, filtered = CATALOGUE.department(1, []), CATALOGUE.department(1, [refinement])
    assert filtered == [offer for offer in everything if offer.price < limit]
    assert 0 < len(filtered) < len(everything)


def test_the_other_filters_leave_in_four_stars_and_up_and_what_comes_tomorrow() -> None:
    everything = CATALOGUE.department(0, [])
    assert CATALOGUE.department(0, [Refinement.STARS]) == [offer for offer in everything if offer.stars >= 4]
    assert CATALOGUE.department(0, [Refinement.TOMORROW]) == [offer for offer in everything if offer.tomorrow]


def test_sorting_by_price_keeps_what_agrees_more_first() -> None:
    found = CATALOGUE.search(Query(RED, -1, HAT), [Refinement.CHEAPEST])
    keys = [(offer.thing.colour != RED, offer.price) for offer in found]
    assert all(first <= second for first, second in pairwise(keys))


def test_a_department_holds_its_nouns_and_the_deals_cost_less_than_usual() -> None:
    assert {NOUNS[offer.thing.noun].department for offer in CATALOGUE.department(2, [])} == {2}
    assert all(offer.price < NOUNS[offer.thing.noun].price for offer in CATALOGUE.deals([]))


def test_what_is_not_in_stock_has_no_offer() -> None:
    sold = {offer.thing for offer in CATALOGUE.offers}
    assert all((CATALOGUE.offer_of(thing) is not None) == (thing in sold) for thing in THINGS)
    # 45 % of 800 things are 360 on average, with a standard deviation of 14.
    assert 300 < len(sold) < 420


def test_a_thing_has_as_many_offers_as_it_may() -> None:
    catalogue = Catalogue(seed=0, in_stock=1.0, most_offers=3)
    counts = Counter(offer.thing for offer in catalogue.offers)
    assert set(counts) == set(THINGS)
    assert set(counts.values()) == {1, 2, 3}
    assert [offer.number for offer in catalogue.offers] == list(range(len(catalogue.offers)))


def test_another_seed_is_another_shop() -> None:
    assert Catalogue(1, 0.45, 1).offers != CATALOGUE.offers == Catalogue(0, 0.45, 1).offers
