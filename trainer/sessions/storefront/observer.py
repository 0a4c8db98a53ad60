"""What can be known of a shopper by watching: the Bayes filter over everyone there could be.

The observer sees pages and actions, and knows the shop's habits and the choice model; not the wish, the budget, the
patience. Nobody who sees the same can predict better, so its hit rates are the best achievable accuracies.
"""

from typing import NamedTuple, Self

import numpy as np

from trainer.sessions.storefront.catalogue import THINGS, Query
from trainer.sessions.storefront.policy import Alternative, alternatives, probabilities
from trainer.sessions.storefront.shop import RECALL
from trainer.sessions.storefront.shoppers import CODES, Floats, Shoppers, code_of, everyone, query_of
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
        moves = [(Move(choice), round(chance, _DIGITS)) for choice, chance in self.choices.items()]
        code = int(self.queries.round(_DIGITS).argmax())
        moves.append((Move(SEARCH, query_of(code)), round(float(self.queries[code]), _DIGITS)))
        return max(moves, key=lambda move: move[1])

    @property
    def best_type(self) -> tuple[str, float]:
        """The likeliest action type and its chance."""
        types = {SEARCH.type: float(self.queries.sum())}
        for choice, chance in self.choices.items():
            types[choice.type] = types.get(choice.type, 0.0) + chance
        rounded = [(name, round(chance, _DIGITS)) for name, chance in types.items()]
        return max(rounded, key=lambda item: item[1])


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

    def given(self, budget: int, patience: int) -> Self:
        """The same for one who knows the persona."""
        known = (self.shoppers.budget == budget) & (self.shoppers.patience == patience)
        return self._replace(weights=_normal(self.weights * known))


class Prospect(NamedTuple):
    """A belief in front of a page: what everyone it can still be would do there."""

    belief: Belief
    offered: list[Alternative]
    table: Floats
    """Chances of the alternatives; one row for each of the belief's shoppers."""

    @classmethod
    def of(cls, belief: Belief, view: View) -> Self:
        """What is to be expected on a page."""
        offered = alternatives(view, belief.shoppers)
        return cls(belief, offered, probabilities(offered, belief.shoppers))

    def forecast(self, belief: Belief) -> Forecast:
        """The chances of all moves under this belief, or under another one over the same shoppers."""
        totals = belief.weights @ self.table
        choices, columns = {}, []
        for column, (choice, _) in enumerate(self.offered):
            if choice.kind is Kind.SEARCH:
                columns.append(column)
            else:
                choices[choice] = float(totals[column])
        codes = belief.shoppers.codes[[self.offered[column].choice.argument for column in columns]]
        chances = belief.weights * self.table[:, columns].T
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
        possible = likelihood > 0
        weights = (self.belief.weights * likelihood)[possible]
        return Belief(self.belief.shoppers.where(possible), _normal(weights))


def _normal(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())
