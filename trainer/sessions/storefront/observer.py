"""What can be known of a shopper by watching: the Bayes filter over everyone there could be.

The observer sees pages and actions, and knows the shop's habits and the choice model; not the wish, the budget, the
patience. Nobody who sees the same can predict better, so its hit rates are the best achievable accuracies.
"""

from typing import NamedTuple, Self

import numpy as np

from trainer.sessions.storefront.catalogue import THINGS, Query
from trainer.sessions.storefront.policy import Alternative, alternatives, probabilities
from trainer.sessions.storefront.shop import RECALL
from trainer.sessions.storefront.shoppers import CODES, Booleans, Floats, Shoppers, code_of, everyone, query_of
from trainer.sessions.storefront.views import Choice, Home, Kind, View

_DIGITS = 9
"""Chances that differ by less are equal: the last bits of a float are not the same on every machine."""

SEARCH = Choice(Kind.SEARCH)


class Move(NamedTuple):
    """An action as anyone sees it."""

    choice: Choice
    """SEARCH for every search: its form is to be seen from the query."""
    query: Query | None = None


class Forecast(NamedTuple):
    """How likely every next action is, in an observer's eyes."""

    choices: dict[Choice, float]
    """Chances of all that is no search, in the page's order."""
    queries: Floats
    """Chances of all queries, by code."""

    def chance(self, move: Move) -> float:
        """How likely one move is."""
        return self.choices[move.choice] if move.query is None else float(self.queries[code_of(move.query)])

    @property
    def best(self) -> tuple[Move, float]:
        """The likeliest move and its chance; of equals the first, queries last."""
        moves = [(Move(choice), chance) for choice, chance in self.choices.items()]
        code = int(self.queries.round(_DIGITS).argmax())
        moves.append((Move(SEARCH, query_of(code)), float(self.queries[code])))
        return max(moves, key=lambda move: round(move[1], _DIGITS))

    @property
    def best_type(self) -> tuple[str, float]:
        """The likeliest action type and its chance."""
        types = {SEARCH.type: float(self.queries.sum())}
        for choice, chance in self.choices.items():
            types[choice.type] = types.get(choice.type, 0.0) + chance
        return max(types.items(), key=lambda item: round(item[1], _DIGITS))


class Belief(NamedTuple):
    """Everyone it can still be, and how likely each is."""

    shoppers: Shoppers
    weights: Floats
    """Sum to 1."""

    @classmethod
    def at_home(cls, home: Home) -> Self:
        """What the front page alone says.

        Of N things n are drawn at random to be shown; then what is wanted is put in a random place with chance RECALL,
        unless it is there. A list comes out, in units of the draw's own chance, with 1 - RECALL if what is wanted is
        not on it, and with 1 - RECALL + RECALL × N / n if it is.
        """
        shoppers, chances = everyone()
        shown = np.zeros(len(chances), dtype=np.bool_)
        for thing, _ in home.recent:
            shown |= shoppers.wish_for(thing)
        return cls(shoppers, _normal(chances * (1 - RECALL + shown * (RECALL * len(THINGS) / len(home.recent)))))

    def among(self, chosen: Booleans) -> Self:
        """What is left of it where only some of the shoppers can be the one."""
        return type(self)(self.shoppers.where(chosen), _normal(self.weights[chosen]))


class Prospect(NamedTuple):
    """A belief in front of a page: what everyone it can still be would do there."""

    belief: Belief
    offered: list[Alternative]
    """Its terms are those of everyone the prospect was made for."""
    table: Floats
    """Chances of the alternatives; one row for each of the belief's shoppers."""

    @classmethod
    def of(cls, belief: Belief, view: View) -> Self:
        """What is to be expected on a page."""
        offered = alternatives(view, belief.shoppers)
        return cls(belief, offered, probabilities(offered, belief.shoppers))

    def given(self, budget: int, patience: int) -> Self:
        """The same for one who knows the persona."""
        shoppers = self.belief.shoppers
        known = (shoppers.budget == budget) & (shoppers.patience == patience)
        return self._replace(belief=self.belief.among(known), table=self.table[known])

    def forecast(self) -> Forecast:
        """The chances of all moves."""
        shoppers, weights = self.belief
        totals = weights @ self.table
        choices, columns = {}, []
        for column, (choice, _) in enumerate(self.offered):
            if choice.kind is Kind.SEARCH:
                columns.append(column)
            else:
                choices[choice] = float(totals[column])
        codes = shoppers.codes[[self.offered[column].choice.argument for column in columns]]
        chances = weights * self.table[:, columns].T
        queries = np.bincount(codes.ravel(), chances.ravel(), minlength=CODES)
        return Forecast(choices, np.asarray(queries, dtype=np.float64))

    def after(self, move: Move) -> Belief:
        """The belief once a move was seen; who would not have made it is out."""
        likelihood = np.zeros(len(self.table))
        for column, alternative in enumerate(self.offered):
            if move.query is not None and alternative.choice.kind is Kind.SEARCH:
                typed = self.belief.shoppers.codes[alternative.choice.argument] == code_of(move.query)
                likelihood += self.table[:, column] * typed
            elif alternative.choice == move.choice:
                likelihood += self.table[:, column]
        return Belief(self.belief.shoppers, self.belief.weights * likelihood).among(likelihood > 0)


def _normal(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())
