"""Random choices that come out alike on every machine and Python version.

Of `random.Random` only `random()` is promised to give the same numbers for ever, and only seeding by numbers and texts.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def random_for(*key: object) -> Random:
    """A generator of its own for everything that is named by a different key."""
    return Random("/".join(map(str, key)))


def below(random: Random, count: int) -> int:
    """A whole number from 0 to `count` - 1."""
    return int(random.random() * count)


def between(random: Random, least: int, most: int) -> int:
    """A whole number from `least` to `most`, both possible."""
    return least + below(random, most - least + 1)


def pick(random: Random, items: Sequence[T]) -> T:
    """One of the items, each equally likely."""
    return items[below(random, len(items))]


def weighted(random: Random, weights: Sequence[float]) -> int:
    """A position, with the chances given by `weights`, which sum to 1."""
    draw = random.random()
    reached = 0.0
    for position, weight in enumerate(weights):
        reached += weight
        if draw < reached:
            return position
    return max(position for position, weight in enumerate(weights) if weight > 0)


def sample(random: Random, items: Sequence[T], count: int) -> list[T]:
    """So many different items, in random order (Fisher and Yates); all of them where there are not so many."""
    left = list(items)
    for position in range(min(count, len(left))):
        other = position + below(random, len(left) - position)
        left[position], left[other] = left[other], left[position]
    return left[:count]
