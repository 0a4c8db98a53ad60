"""Which page follows which."""

import pytest

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, THINGS, Offer, Query, Refinement
from trainer.sessions.storefront.draws import random_for
from trainer.sessions.storefront.shop import RECALL, Shop
from trainer.sessions.storefront.views import Cart, Choice, Home, Kind, Product, Results, Reviews, View

SHOP = Shop(seed=0, size="tiny")
HATS = Query(COLOURS.index("red"), MATERIALS.index("wool"), 0)


def go(view: View, kind: Kind, argument: int = 0) -> View:
    return SHOP.after(view, Choice(kind, argument), None, random_for(0))


def home() -> View:
    return SHOP.front_page(THINGS[0], random_for(0))


def results() -> View:
    return SHOP.after(home(), Choice(Kind.SEARCH), HATS, random_for(0))


def product() -> View:
    return go(results(), Kind.ITEM)


def the_offer(view: View) -> Offer:
    assert isinstance(view.page, Product)
    return view.page.offer


def the_list(view: View) -> Results:
    assert isinstance(view.page, Results)
    return view.page


def test_the_front_page_shows_what_is_wanted_as_often_as_it_says() -> None:
    wanted = THINGS[123]
    pages = [SHOP.front_page(wanted, random_for(number)).page for number in range(2_000)]
    shown = sum(isinstance(page, Home) and wanted in [thing for thing, _ in page.recent] for page in pages)
    # By design, or else by chance: 0.7 + 0.3 × 3/800 = 0.701; the standard deviation is 0.010.
    assert abs(shown / 2_000 - (RECALL + (1 - RECALL) * 3 / 800)) < 0.04


def test_recently_viewed_things_are_all_different() -> None:
    for number in range(500):
        page = SHOP.front_page(THINGS[0], random_for(number)).page
        assert isinstance(page, Home)
        assert len({thing for thing, _ in page.recent}) == 3


def test_a_search_lists_what_was_found_and_is_remembered() -> None:
    view = results()
    assert the_list(view).query == HATS
    assert view.searched == (HATS,)
    assert view.step == 2
    assert the_list(view).items == tuple(SHOP.catalogue.search(HATS, []))[:3]


def test_the_next_page_goes_on_where_the_last_one_ended_and_the_third_is_the_last() -> None:
    second = go(results(), Kind.NEXT)
    third = go(second, Kind.NEXT)
    found = tuple(SHOP.catalogue.search(HATS, []))
    assert the_list(second).items == found[3:6]
    assert the_list(third).items == found[6:9]
    assert (the_list(second).is_last, the_list(third).is_last) == (False, True)


def test_a_filter_begins_at_the_first_page_again_and_is_not_offered_twice() -> None:
    page = the_list(go(go(results(), Kind.NEXT), Kind.REFINE, Refinement.STARS))
    assert page.applied == (Refinement.STARS,)
    assert page.number == 1
    assert page.items == tuple(SHOP.catalogue.search(HATS, [Refinement.STARS]))[:3]
    assert Refinement.STARS not in page.open_refinements


def test_departments_and_deals_are_lists_without_a_query() -> None:
    assert (the_list(go(home(), Kind.DEPARTMENT, 2)).department, the_list(go(home(), Kind.DEALS)).department) == (
        2,
        None,
    )
    assert the_list(go(home(), Kind.DEALS)).query is None


def test_an_item_is_opened_and_remembered() -> None:
    view = product()
    assert the_offer(view) == the_list(results()).items[0]
    assert view.opened == (the_offer(view).number,)


def test_a_size_that_was_chosen_stays_chosen_over_the_reviews() -> None:
    view = go(product(), Kind.SIZE, 2)
    assert view.page == Product(the_offer(view), 2)
    reviews = go(view, Kind.REVIEWS)
    assert reviews.page == Reviews(Product(the_offer(view), 2))
    assert reviews.reviewed == (the_offer(view).number,)
    assert go(reviews, Kind.BACK).page == view.page


def test_nothing_can_be_bought_before_a_size_is_chosen_where_there_are_sizes() -> None:
    page = product().page
    assert isinstance(page, Product)
    assert page.needs_size
    assert not page._replace(size=0).needs_size
    watch = next(offer for offer in SHOP.catalogue.offers if not offer.sizes)
    assert not Product(watch, None).needs_size


def test_from_a_product_one_goes_back_to_the_list_seen_last_or_else_to_the_front_page() -> None:
    assert go(product(), Kind.BACK).page == results().page
    assert go(product()._replace(results=None), Kind.BACK).page == home().page


def test_the_cart_holds_what_was_added_until_it_is_removed() -> None:
    view = go(product(), Kind.ADD)
    assert view.page == Cart(the_offer(product()))
    assert go(view, Kind.REMOVE).page == Cart(None)
    assert go(view, Kind.CONTINUE).page == results().page


def test_what_cannot_be_done_on_a_page_leads_nowhere() -> None:
    with pytest.raises(ValueError, match="next leads nowhere from Cart"):
        go(go(product(), Kind.ADD), Kind.NEXT)
