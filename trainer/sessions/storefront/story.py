"""One session as a story: what was seen, what was done and why, and how likely that was to those who watch."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from trainer.sessions.storefront.draws import weighted
from trainer.sessions.storefront.observer import SEARCH, Belief, Forecast, Move, Prospect
from trainer.sessions.storefront.policy import Alternative
from trainer.sessions.storefront.shop import Shop
from trainer.sessions.storefront.shoppers import Shopper, query_of
from trainer.sessions.storefront.views import Home, Kind, View


class Scene(NamedTuple):
    """One step."""

    view: View
    move: Move
    alternative: Alternative
    place: int
    """The shopper's row in the columns of the alternative's terms."""
    forecast: Forecast
    """From all that is visible."""
    forecast_with_persona: Forecast
    """From all that is visible and the persona."""


def story(shop: Shop, shopper: Shopper, behaviour: Random, pages: Random) -> Iterator[Scene]:
    """Every step of a session. `behaviour` decides what the shopper does, `pages` what the shop shows."""
    view = shop.front_page(shopper.wish, pages)
    assert isinstance(view.page, Home)
    belief = Belief.at_home(view.page)
    while True:
        prospect = Prospect.of(belief, view)
        place = belief.shoppers.place_of(shopper)
        alternative = prospect.offered[weighted(behaviour, prospect.table[place].tolist())]
        choice = alternative.choice
        move = Move(choice)
        if choice.kind is Kind.SEARCH:
            move = Move(SEARCH, query_of(int(belief.shoppers.codes[choice.argument, place])))
        yield Scene(
            view,
            move,
            alternative,
            place,
            prospect.forecast(),
            prospect.given(shopper.budget, shopper.patience).forecast(),
        )
        if choice.ends:
            return
        belief = prospect.after(move)
        view = shop.after(view, choice, move.query, pages)
