"""What can be known by watching: the Bayes filter against a plain enumeration of everyone there could be."""

import math
from functools import cache

import numpy as np
import pytest

from tests.trainer.sessions.storefront.samples import stories
from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, THINGS, Query, Thing
from trainer.sessions.storefront.observer import SEARCH, Belief, Forecast, Move, Prospect
from trainer.sessions.storefront.policy import SHARPNESS, alternatives, utilities
from trainer.sessions.storefront.shoppers import BUDGET_CHANCES, CODES, PATIENCE_CHANCES, Shopper, Shoppers, code_of
from trainer.sessions.storefront.story import Scene
from trainer.sessions.storefront.views import LEAVE, Choice, Home, Kind, View

RED, WOOL, COTTON = COLOURS.index("red"), MATERIALS.index("wool"), MATERIALS.index("cotton")
HAT = 0

EVERYONE = [Shopper(wish, budget, patience) for wish in THINGS for budget in range(3) for patience in range(3)]


def chance_of_front_page(shown: list[Thing], wish: Thing) -> float:
    """How likely the shop shows this list of n different things out of 800, from how it draws it."""
    by_chance = 1 / math.perm(800, len(shown))
    if wish not in shown:
        return 0.3 * by_chance
    # It was drawn itself; or one of the other 800 - n was, in its very place, and had to make way.
    made_way = (800 - len(shown)) * by_chance / len(shown)
    return 0.3 * by_chance + 0.7 * (by_chance + made_way)


def in_words(choice: Choice, shopper: Shopper) -> str:
    """An action as text, a search with the query that this shopper would type."""
    if choice.kind is not Kind.SEARCH:
        return choice.key
    colour, material, noun = shopper.wish
    words = COLOURS[colour], MATERIALS[material], NOUNS[noun].name
    used = ((0, 1, 2), (0, 2), (1, 2), (2,))[choice.argument]
    return "search: " + " ".join(words[place] for place in used)


def seen(move: Move) -> str:
    return f"search: {move.query}" if move.query else move.choice.key


def what_each_would_do(view: View) -> list[dict[str, float]]:
    """Action in words -> chance, for everyone, by a softmax of our own."""
    offered = alternatives(view, Shoppers.of(EVERYONE))
    tables = []
    for shopper, worth in zip(EVERYONE, utilities(offered, Shoppers.of(EVERYONE)).tolist(), strict=True):
        weights = [math.exp(SHARPNESS * value) for value in worth]
        whole = math.fsum(weights)
        texts = [in_words(alternative.choice, shopper) for alternative in offered]
        tables.append({text: weight / whole for text, weight in zip(texts, weights, strict=True)})
    return tables


def expected(weights: list[float], tables: list[dict[str, float]]) -> dict[str, float]:
    """Action in words -> chance for one who sees no more than the pages and actions."""
    whole = math.fsum(weights)
    totals: dict[str, float] = {}
    for weight, table in zip(weights, tables, strict=True):
        for text, chance in table.items():
            totals[text] = totals.get(text, 0.0) + weight / whole * chance
    return totals


def agrees(forecast: Forecast, totals: dict[str, float], taken: Move) -> None:
    best, chance = forecast.best
    assert chance == pytest.approx(max(totals.values()), abs=1e-8)
    assert totals[seen(best)] == pytest.approx(chance, abs=1e-8)
    assert forecast.chance(taken) == pytest.approx(totals[seen(taken)])
    searching = math.fsum(chance for text, chance in totals.items() if text.startswith("search: "))
    types = {"terminate": totals[LEAVE.key], "type_and_submit": searching}
    types["click"] = 1 - sum(types.values())
    best_type, type_chance = forecast.best_type
    assert type_chance == pytest.approx(max(types.values()), abs=1e-8)
    assert types[best_type] == pytest.approx(type_chance, abs=1e-8)


@cache
def some_stories() -> list[list[Scene]]:
    return stories("tiny", 300)


@pytest.mark.parametrize("opening", [Kind.SEARCH, Kind.RECENT], ids=["a search", "a click"])
def test_the_filter_agrees_with_a_plain_enumeration_of_everyone(opening: Kind) -> None:
    told = next(found for found in some_stories() if len(found) == 4 and found[0].move.choice.kind is opening)
    home = told[0].view.page
    assert isinstance(home, Home)
    shown = [thing for thing, _ in home.recent]
    weights = [
        BUDGET_CHANCES[shopper.budget] * PATIENCE_CHANCES[shopper.patience] * chance_of_front_page(shown, shopper.wish)
        for shopper in EVERYONE
    ]
    for scene in told:
        tables = what_each_would_do(scene.view)
        agrees(scene.forecast, expected(weights, tables), scene.move)
        weights = [weight * table.get(seen(scene.move), 0.0) for weight, table in zip(weights, tables, strict=True)]


def test_one_who_knows_the_persona_leaves_out_everybody_else() -> None:
    view = some_stories()[0][0].view
    everybody = Prospect.of(Belief.at_home(view.home), view)
    known = everybody.given(budget=2, patience=0)
    shoppers, weights = known.belief
    assert (set(shoppers.budget), set(shoppers.patience), len(weights)) == ({2}, {0}, 800)
    assert weights.sum() == pytest.approx(1)
    place = shoppers.place_of(Shopper(THINGS[5], 2, 0))
    before = everybody.belief.shoppers.place_of(Shopper(THINGS[5], 2, 0))
    assert known.table[place].tolist() == everybody.table[before].tolist()


def test_the_front_page_says_as_much_about_the_wish_as_the_shop_put_there() -> None:
    home = some_stories()[0][0].view.home
    belief = Belief.at_home(home)
    for thing, _ in home.recent:
        # Prior 1/800 each. On the list: (0.3 + 0.7 × 800/3) / 800; off it 0.3 / 800. Together 1 by definition.
        chance = belief.weights[belief.shoppers.wish_for(thing)].sum()
        assert chance == pytest.approx((0.3 + 0.7 * 800 / 3) / 800)


def test_different_wishes_behind_the_same_words_are_added_up() -> None:
    view = some_stories()[0][0].view
    shoppers = Shoppers.of([Shopper(Thing(RED, material, HAT), 1, 1) for material in (WOOL, COTTON)])
    belief = Belief(shoppers, np.array([0.25, 0.75]))
    prospect = Prospect.of(belief, view)
    forecast = prospect.forecast()
    # "red hat" is the second form of both; "red wool hat" is the first form of one alone.
    assert forecast.chance(Move(SEARCH, Query(RED, -1, HAT))) == pytest.approx(
        0.25 * prospect.table[0, 1] + 0.75 * prospect.table[1, 1]
    )
    assert forecast.chance(Move(SEARCH, Query(RED, WOOL, HAT))) == pytest.approx(0.25 * prospect.table[0, 0])
    assert sum(forecast.choices.values()) + forecast.queries.sum() == pytest.approx(1)


def test_a_query_rules_out_everyone_who_would_not_have_typed_it() -> None:
    view = some_stories()[0][0].view
    belief = Belief.at_home(view.home)
    after = Prospect.of(belief, view).after(Move(SEARCH, Query(RED, -1, HAT)))
    assert set(after.shoppers.colour) == {RED}
    assert set(after.shoppers.noun) == {HAT}
    # Four materials a hat can have, three budgets, three kinds of patience.
    assert len(after.weights) == 4 * 3 * 3
    assert after.weights.sum() == pytest.approx(1)


def test_of_equal_chances_the_first_is_best_and_a_float_s_last_bits_do_not_count() -> None:
    queries = np.zeros(CODES)
    queries[code_of(Query(RED, -1, HAT))] = 0.3 + 1e-13
    forecast = Forecast({Choice(Kind.DEALS): 0.3, LEAVE: 0.1, Choice(Kind.ITEM): 0.3}, queries)
    assert forecast.best == (Move(Choice(Kind.DEALS)), 0.3)
    assert forecast.best_type == ("click", pytest.approx(0.6))
