"""Counting very many things in bounded memory."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation.commonest import Commonest


def counted(things: list[int], capacity: int) -> Commonest[str]:
    commonest: Commonest[str] = Commonest(capacity)
    for thing in things:
        commonest.add(thing, f"thing {thing}")
    return commonest


@given(st.lists(st.integers(0, 20), max_size=300), st.integers(1, 25))
def test_true_counts_lie_between_the_bounds_and_no_common_thing_is_missing(things: list[int], capacity: int) -> None:
    truth = {f"thing {thing}": count for thing, count in Counter(things).items()}
    found = {item.thing: item for item in counted(things, capacity).top(1_000)}
    assert len(found) <= capacity
    assert all(item.at_least <= truth[thing] <= item.at_most for thing, item in found.items())
    assert all(thing in found for thing, count in truth.items() if count > len(things) / (capacity + 1))


@given(st.lists(st.integers(0, 9), max_size=100))
def test_counts_are_exact_and_ranked_as_long_as_everything_fits(things: list[int]) -> None:
    found = counted(things, 10).top(4)
    expected = Counter(f"thing {thing}" for thing in things).most_common(4)
    assert [(item.thing, item.at_least) for item in found] == expected
    assert all(item.at_least == item.at_most for item in found)


def test_a_thing_is_found_by_its_key_while_it_is_held() -> None:
    held = counted([1, 1, 2], 1)
    assert (held.find(1), held.find(2)) == ("thing 1", None)
