"""The commonest of very many things, in bounded memory: Misra and Gries, "Finding repeated elements" (1982)."""

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Counted(NamedTuple, Generic[T]):
    """A thing, and bounds of how often it came."""

    thing: T
    at_least: int
    at_most: int


class Commonest(Generic[T]):
    """Counts things by their keys. Exact up to `capacity` different keys.

    Beyond that, every count may be too low by as much as (things / capacity), and a thing that came more often than
    that is never missing.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: dict[Hashable, int] = {}
        self._things: dict[Hashable, T] = {}
        self._taken_off = 0

    def add(self, key: Hashable, thing: T) -> None:
        """Count one."""
        if key in self._counts:
            self._counts[key] += 1
        elif len(self._counts) < self._capacity:
            self._counts[key] = 1
            self._things[key] = thing
        else:
            self._take_one_off_each()

    def find(self, key: Hashable) -> T | None:
        """The thing of that key, if it is held."""
        return self._things.get(key)

    def top(self, number: int) -> list[Counted[T]]:
        """The commonest things, those that came first in front."""
        ranked = sorted(self._counts.items(), key=lambda item: -item[1])[:number]
        return [Counted(self._things[key], count, count + self._taken_off) for key, count in ranked]

    def _take_one_off_each(self) -> None:
        self._taken_off += 1
        for key in [key for key, count in self._counts.items() if count == 1]:
            del self._counts[key], self._things[key]
        for key in self._counts:
            self._counts[key] -= 1
