"""Who might be shopping: every hypothesis about the shopper, as columns of numbers."""

from functools import cache
from random import Random
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, THINGS, Query, Thing
from trainer.sessions.storefront.draws import below, pick, weighted
from trainer.sessions.storefront.views import FORMS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

BUDGETS = (15, 35, 80)
"""What a shopper is used to spend on one thing, in dollars."""
BUDGET_CHANCES = (0.3, 0.4, 0.3)
PATIENCE = (3, 5, 6)
"""After how many actions a shopper begins to tire."""
PATIENCE_CHANCES = (0.3, 0.4, 0.3)

DEPARTMENT_OF = np.array([noun.department for noun in NOUNS])


class Shopper(NamedTuple):
    """One person with one wish."""

    wish: Thing
    budget: int
    """An index into BUDGETS."""
    patience: int
    """An index into PATIENCE."""


class Shoppers(NamedTuple):
    """Many shoppers; each field has one number a shopper, `codes` one row a form of query."""

    colour: Integers
    material: Integers
    noun: Integers
    budget: Integers
    patience: Integers
    codes: Integers
    """Which query each shopper would type, by form, as `query_of` reads it. Shape (4, shoppers)."""

    @classmethod
    def of(cls, shoppers: list[Shopper]) -> Self:
        """Columns out of rows."""
        rows = [(*shopper.wish, shopper.budget, shopper.patience) for shopper in shoppers]
        colour, material, noun, budget, patience = np.array(rows, dtype=np.int64).T
        codes = [
            _code(colour if has_colour else -1, material if has_material else -1, noun)
            for has_colour, has_material in FORMS
        ]
        return cls(colour, material, noun, budget, patience, np.array(codes))

    def wish_for(self, thing: Thing) -> Booleans:
        """Which of them wish for a thing."""
        return np.asarray((self.colour == thing.colour) & (self.material == thing.material) & (self.noun == thing.noun))

    def place_of(self, shopper: Shopper) -> int:
        """Where one of them stands."""
        same = self.wish_for(shopper.wish) & (self.budget == shopper.budget) & (self.patience == shopper.patience)
        return int(same.argmax())

    def where(self, chosen: Booleans) -> Self:
        """Some of them."""
        return type(self)(*(column[..., chosen] for column in self))

    @property
    def spends(self) -> Floats:
        """Dollars."""
        return np.array(BUDGETS, dtype=np.float64)[self.budget]

    @property
    def patient_for(self) -> Floats:
        """Actions."""
        return np.array(PATIENCE, dtype=np.float64)[self.patience]


CODES = len(NOUNS) * (len(COLOURS) + 1) * (len(MATERIALS) + 1)
"""How many queries there are."""


def _code(colour: Integers | int, material: Integers | int, noun: Integers | int) -> Integers:
    return np.asarray((noun * (len(COLOURS) + 1) + colour + 1) * (len(MATERIALS) + 1) + material + 1)


def code_of(query: Query) -> int:
    """A query as one number."""
    return int(_code(*query))


def query_of(code: int) -> Query:
    """The query that a number stands for."""
    rest, material = divmod(code, len(MATERIALS) + 1)
    noun, colour = divmod(rest, len(COLOURS) + 1)
    return Query(colour - 1, material - 1, noun)


@cache
def everyone() -> tuple[Shoppers, Floats]:
    """Every shopper there could be, 7,200 of them, and how likely each is before anything is seen."""
    rows = [
        Shopper(wish, budget, patience)
        for wish in THINGS
        for budget in range(len(BUDGETS))
        for patience in range(len(PATIENCE))
    ]
    chances = [BUDGET_CHANCES[row.budget] * PATIENCE_CHANCES[row.patience] / len(THINGS) for row in rows]
    return Shoppers.of(rows), np.array(chances)


class User(NamedTuple):
    """What stays the same over a user's sessions."""

    budget: int
    patience: int
    persona: str
    """Both of the above in words; never what is wanted."""


_SPENDING = (
    "I spend about ${} on such things",
    "My limit for things like these is about ${}",
    "About ${} is what I usually pay",
)
_PATIENCE = (
    ("give up quickly", "have no patience for shopping", "leave as soon as it drags on"),
    ("look around for a while", "give a shop a fair chance", "do not mind a few more pages"),
    ("take all the time I need", "never hurry when I shop", "keep looking for long"),
)


def draw_user(random: Random) -> User:
    """A user, and how they speak of themselves."""
    budget, patience = weighted(random, BUDGET_CHANCES), weighted(random, PATIENCE_CHANCES)
    spending, hurry = pick(random, _SPENDING).format(BUDGETS[budget]), pick(random, _PATIENCE[patience])
    return User(budget, patience, f"{spending}. I {hurry}." if below(random, 2) else f"{spending} and I {hurry}.")


def draw_wish(random: Random) -> Thing:
    """What somebody wants today; everything is equally likely."""
    return pick(random, THINGS)
