"""What the shop sells: things of a colour, a material and a noun, in any number of offers, and how they are found."""

from collections.abc import Callable, Collection, Iterable
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from trainer.sessions.storefront.draws import below, between, random_for, weighted

COLOURS = ("red", "blue", "black", "white", "green", "grey", "pink", "brown", "yellow", "purple")
MATERIALS = ("wool", "leather", "cotton", "steel", "wooden", "glass", "linen", "nylon", "rubber", "ceramic")


class Noun(NamedTuple):
    """A kind of thing."""

    name: str
    department: int
    materials: tuple[str, str, str, str]
    """What it can be made of."""
    price: int
    """What it usually costs, in dollars."""
    sizes: tuple[str, ...] = ()
    """What must be chosen before buying; empty where there is nothing to choose."""


DEPARTMENTS = ("Clothing", "Shoes and bags", "Home", "Travel")
_SIZES = ("S", "M", "L")
NOUNS = (
    Noun("hat", 0, ("wool", "cotton", "leather", "linen"), 22, _SIZES),
    Noun("jacket", 0, ("leather", "cotton", "nylon", "wool"), 56, _SIZES),
    Noun("scarf", 0, ("wool", "cotton", "linen", "nylon"), 18),
    Noun("socks", 0, ("wool", "cotton", "nylon", "linen"), 12, _SIZES),
    Noun("gloves", 0, ("wool", "leather", "nylon", "rubber"), 20, _SIZES),
    Noun("shoes", 1, ("leather", "cotton", "nylon", "rubber"), 48, _SIZES),
    Noun("boots", 1, ("leather", "rubber", "nylon", "wool"), 60, _SIZES),
    Noun("belt", 1, ("leather", "nylon", "cotton", "rubber"), 21, _SIZES),
    Noun("wallet", 1, ("leather", "nylon", "cotton", "rubber"), 26),
    Noun("backpack", 1, ("leather", "cotton", "nylon", "linen"), 42),
    Noun("lamp", 2, ("steel", "glass", "wooden", "ceramic"), 36, _SIZES),
    Noun("mug", 2, ("steel", "glass", "ceramic", "wooden"), 14, _SIZES),
    Noun("clock", 2, ("wooden", "steel", "glass", "ceramic"), 30),
    Noun("chair", 2, ("wooden", "steel", "leather", "nylon"), 62),
    Noun("basket", 2, ("wooden", "cotton", "nylon", "steel"), 24),
    Noun("tent", 3, ("nylon", "cotton", "linen", "rubber"), 66),
    Noun("bottle", 3, ("steel", "glass", "nylon", "rubber"), 16),
    Noun("watch", 3, ("steel", "leather", "rubber", "nylon"), 58),
    Noun("blanket", 3, ("wool", "cotton", "linen", "nylon"), 34),
    Noun("pillow", 3, ("cotton", "wool", "linen", "nylon"), 23, _SIZES),
)


class Thing(NamedTuple):
    """What one can wish for; indices into COLOURS, MATERIALS and NOUNS."""

    colour: int
    material: int
    noun: int

    def __str__(self) -> str:
        return f"{COLOURS[self.colour]} {MATERIALS[self.material]} {NOUNS[self.noun].name}"


THINGS = tuple(
    Thing(colour, MATERIALS.index(material), number)
    for number, noun in enumerate(NOUNS)
    for material in noun.materials
    for colour in range(len(COLOURS))
)
"""Everything that there could be, 800 things, whether or not the shop has it."""


class Query(NamedTuple):
    """What was typed into the search box; -1 for a colour or a material that was left out."""

    colour: int
    material: int
    noun: int

    def __str__(self) -> str:
        words = [COLOURS[self.colour]] if self.colour >= 0 else []
        words += [MATERIALS[self.material]] if self.material >= 0 else []
        return " ".join([*words, NOUNS[self.noun].name])


class Refinement(IntEnum):
    """A filter or an order of search results."""

    UNDER_25 = 0
    UNDER_50 = 1
    STARS = 2
    """Four stars and up."""
    TOMORROW = 3
    CHEAPEST = 4
    """Sorted by price."""


PRICE_LIMITS = {Refinement.UNDER_25: 25, Refinement.UNDER_50: 50}


class Offer(NamedTuple):
    """A thing as it is sold."""

    number: int
    """Its place in the catalogue."""
    thing: Thing
    price: int
    """Dollars."""
    half_stars: int
    """The mean rating in half stars, 4 to 10."""
    ratings: int
    verdict: int
    """What the reviews say: -1 bad, 0 mixed, 1 good."""
    tomorrow: bool
    """Whether it is delivered tomorrow."""
    popularity: float

    @property
    def stars(self) -> float:
        """The mean rating."""
        return self.half_stars / 2

    @property
    def sizes(self) -> tuple[str, ...]:
        """What must be chosen before buying."""
        return NOUNS[self.thing.noun].sizes

    def passes(self, refinement: Refinement) -> bool:
        """Whether a filter leaves it in; an order leaves in everything."""
        if refinement in PRICE_LIMITS:
            return self.price < PRICE_LIMITS[refinement]
        if refinement is Refinement.STARS:
            return self.half_stars >= 8
        return self.tomorrow or refinement is not Refinement.TOMORROW


_HALF_STARS = {4: 0.08, 5: 0.08, 6: 0.12, 7: 0.16, 8: 0.22, 9: 0.24, 10: 0.10}
_VERDICTS = {4: (0.8, 0.2), 5: (0.6, 0.35), 6: (0.4, 0.45), 7: (0.25, 0.4), 8: (0.1, 0.3), 9: (0.05, 0.2), 10: (0, 0.1)}
"""Half stars -> chances that the reviews are bad, and mixed."""


class Catalogue:
    """All offers of one shop; the same arguments, the same shop."""

    def __init__(self, seed: int, in_stock: float, most_offers: int) -> None:
        """`in_stock` is the share of all things that the shop has; each of them has 1 to `most_offers` offers."""
        random = random_for(seed, "catalogue", most_offers)
        offers: list[Offer] = []
        for thing in THINGS:
            if random.random() >= in_stock:
                continue
            for _ in range(between(random, 1, most_offers)):
                half_stars = list(_HALF_STARS)[weighted(random, list(_HALF_STARS.values()))]
                bad, mixed = _VERDICTS[half_stars]
                offers.append(
                    Offer(
                        len(offers),
                        thing,
                        price=max(5, round(NOUNS[thing.noun].price * (0.55 + random.random()))),
                        half_stars=half_stars,
                        ratings=3 + below(random, 40) * below(random, 40),
                        verdict=weighted(random, (bad, mixed, 1 - bad - mixed)) - 1,
                        tomorrow=random.random() < 0.6,
                        popularity=random.random(),
                    )
                )
        self.offers = tuple(offers)

    @cached_property
    def _by_noun(self) -> list[list[Offer]]:
        found: list[list[Offer]] = [[] for _ in NOUNS]
        for offer in self.offers:
            found[offer.thing.noun].append(offer)
        return found

    @cached_property
    def _by_thing(self) -> dict[Thing, Offer]:
        return {offer.thing: offer for offer in reversed(self.offers)}

    def offer_of(self, thing: Thing) -> Offer | None:
        """The first offer of a thing; None where it is sold out."""
        return self._by_thing.get(thing)

    def search(self, query: Query, refinements: Collection[Refinement]) -> list[Offer]:
        """Offers of the noun, those with what else was asked for first."""

        def agreement(offer: Offer) -> int:
            return (offer.thing.colour == query.colour) + (offer.thing.material == query.material)

        return _ordered(self._by_noun[query.noun], agreement, refinements)

    def department(self, department: int, refinements: Collection[Refinement]) -> list[Offer]:
        """What is most popular in a department."""
        offers = [offer for offer in self.offers if NOUNS[offer.thing.noun].department == department]
        return _ordered(offers, lambda _: 0, refinements)

    def deals(self, refinements: Collection[Refinement]) -> list[Offer]:
        """What costs least for what it is."""
        offers = sorted(self.offers, key=lambda offer: (offer.price / NOUNS[offer.thing.noun].price, offer.number))
        return _ordered(offers[:48], lambda _: 0, refinements)


def _ordered(
    offers: Iterable[Offer], agreement: Callable[[Offer], int], refinements: Collection[Refinement]
) -> list[Offer]:
    def place(offer: Offer) -> tuple[float, float]:
        return -agreement(offer), offer.price if Refinement.CHEAPEST in refinements else -offer.popularity

    return sorted((offer for offer in offers if all(map(offer.passes, refinements))), key=place)
