"""Everyone who might be shopping."""

import re

import numpy as np

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, THINGS, Query, Thing
from trainer.sessions.storefront.draws import random_for
from trainer.sessions.storefront.shoppers import (
    BUDGETS,
    CODES,
    Shopper,
    Shoppers,
    code_of,
    draw_user,
    everyone,
    query_of,
)

RED, WOOL, HAT = COLOURS.index("red"), MATERIALS.index("wool"), 0
WANTS_A_HAT = Shopper(Thing(RED, WOOL, HAT), 0, 2)


def test_there_is_a_shopper_for_every_wish_budget_and_patience() -> None:
    shoppers, chances = everyone()
    assert len(chances) == 800 * 3 * 3
    assert np.isclose(chances.sum(), 1)
    # A thing's chance is 1/800; the largest budget has 0.3 and the middle patience 0.4 of it.
    place = shoppers.place_of(Shopper(THINGS[17], 2, 1))
    assert np.isclose(chances[place], 0.3 * 0.4 / 800)


def test_every_form_of_a_shoppers_query_has_a_code_of_its_own() -> None:
    codes = Shoppers.of([WANTS_A_HAT]).codes[:, 0]
    assert [str(query_of(int(code))) for code in codes] == ["red wool hat", "red hat", "wool hat", "hat"]


def test_codes_and_queries_say_the_same() -> None:
    queries = [query_of(code) for code in range(CODES)]
    assert len(set(queries)) == CODES == 20 * 11 * 11
    assert [code_of(query) for query in queries] == list(range(CODES))
    assert query_of(code_of(Query(-1, 3, 4))) == Query(-1, 3, 4)


def test_choosing_some_shoppers_keeps_their_columns_together() -> None:
    both = Shoppers.of([Shopper(THINGS[5], 1, 1), WANTS_A_HAT])
    one = both.where(both.wish_for(WANTS_A_HAT.wish))
    assert one.place_of(WANTS_A_HAT) == 0
    assert one.codes.tolist() == Shoppers.of([WANTS_A_HAT]).codes.tolist()
    assert (one.spends.tolist(), one.patient_for.tolist()) == ([15.0], [6.0])


def test_a_persona_tells_budget_and_patience_and_nothing_else() -> None:
    users = [draw_user(random_for(number)) for number in range(2_000)]
    traits: dict[str, set[tuple[int, int]]] = {}
    for user in users:
        traits.setdefault(user.persona, set()).add((user.budget, user.patience))
    assert all(len(meant) == 1 for meant in traits.values())
    assert len(traits) > 50
    assert all(f"${BUDGETS[user.budget]} " in f"{user.persona} ".replace(".", " ") for user in users)
    wishes = {*COLOURS, *MATERIALS, *(noun.name for noun in NOUNS)}
    assert not any(wishes & set(re.findall(r"\w+", persona.lower())) for persona in traits)
