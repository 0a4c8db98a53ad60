"""How shoppers judge what they see, each by the own wish and budget."""

import numpy as np

from trainer.sessions.storefront.catalogue import Offer, Thing
from trainer.sessions.storefront.shoppers import Floats, Shoppers
from trainer.sessions.storefront.views import View

_FIT = np.array((-3.5, -1.0, -0.2, 0.7, 3.0))
"""Another noun; the noun alone; with the material; with the colour; with both."""


def fit(thing: Thing, shoppers: Shoppers) -> Floats:
    """How well a thing agrees with each wish."""
    colour, material = shoppers.colour == thing.colour, shoppers.material == thing.material
    return np.asarray(_FIT[(shoppers.noun == thing.noun) * (1 + 2 * colour + material)])


def price(offer: Offer, shoppers: Shoppers) -> Floats:
    """What a price means to each budget, by doublings over or under it."""
    over = np.log2(offer.price / shoppers.spends)
    return np.where(over > 0, -1.5 * over, -0.3 * np.maximum(over, -1.0))


def stars(offer: Offer) -> float:
    """What a rating means to everybody."""
    return 0.7 * (offer.stars - 4)


def verdict(offer: Offer, view: View) -> float:
    """What the reviews mean to those who have read them."""
    return 0.9 * offer.verdict if offer.number in view.reviewed else 0.0


def worth(offer: Offer, view: View, shoppers: Shoppers) -> Floats:
    """What an opened offer is worth to each."""
    agreeing = np.minimum(fit(offer.thing, shoppers), 1.4)
    return np.asarray(agreeing + price(offer, shoppers) + stars(offer) + verdict(offer, view))


def share_over_budget(offers: tuple[Offer, ...], shoppers: Shoppers) -> Floats:
    """Which share of a list costs more than each spends."""
    over = np.zeros(len(shoppers.noun))
    for offer in offers:
        over += offer.price > shoppers.spends
    return over / max(1, len(offers))
