"""Random choices that come out alike everywhere."""

from collections import Counter
from random import Random

import pytest

from trainer.sessions.storefront.draws import below, between, pick, random_for, sample, weighted


class Scripted(Random):
    """Gives the numbers it is told to."""

    def __init__(self, *numbers: float) -> None:
        self._numbers = list(numbers)

    def random(self) -> float:
        return self._numbers.pop(0)


def test_the_same_key_gives_the_same_numbers_and_another_key_others() -> None:
    assert random_for(1, "pages").random() == random_for(1, "pages").random()
    assert random_for(1, "pages").random() != random_for(2, "pages").random()
    assert random_for(1, "pages").random() != random_for(1, "noise").random()


def test_a_number_below_three_takes_a_third_of_the_unit_interval() -> None:
    assert [below(Scripted(draw), 3) for draw in (0.0, 0.33, 0.34, 0.99)] == [0, 0, 1, 2]
    assert [between(Scripted(draw), 3, 4) for draw in (0.49, 0.5)] == [3, 4]
    assert pick(Scripted(0.6), "abcd") == "c"


@pytest.mark.parametrize(("draw", "position"), [(0.0, 0), (0.19, 0), (0.2, 2), (0.99, 2)])
def test_weights_are_chances_and_a_weight_of_zero_is_never_drawn(draw: float, position: int) -> None:
    assert weighted(Scripted(draw), (0.2, 0.0, 0.8)) == position


def test_weights_that_sum_to_a_hair_under_one_still_give_a_position_that_has_weight() -> None:
    assert weighted(Scripted(0.9999999999999999), (0.1, 0.8999999999999998, 0.0)) == 1


def test_a_sample_has_no_doubles_and_every_order_is_as_likely() -> None:
    random = random_for("orders")
    orders = Counter(tuple(sample(random, "abc", 2)) for _ in range(6_000))
    # Six ordered pairs, 1,000 times each on average; the standard deviation is 29.
    assert len(orders) == 6
    assert all(880 < count < 1_120 for count in orders.values())


def test_a_sample_of_more_than_there_is_has_everything() -> None:
    assert sorted(sample(random_for(1), "abc", 5)) == ["a", "b", "c"]
