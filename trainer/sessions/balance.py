"""Class balance: fewer rows of the types that are too many, none twice.

The paper says its two complex actions "each occur about 10 % more frequently than" terminate. Its own counts (test: 690
click, 677 type_and_submit, 512 terminate) are 35 % more, and 9 to 10 percentage points of all: so we read points.
"""

from collections.abc import Mapping
from fractions import Fraction
from random import Random

PAPER: Mapping[str, Fraction] = {
    "click": Fraction(11, 30),
    "type_and_submit": Fraction(11, 30),
    "terminate": Fraction(8, 30),
}
"""Shares of the labels: click and type_and_submit ten points over terminate."""


class BalanceError(ValueError):
    """Shares that cannot be reached with the labels at hand."""


def counts_kept(counts: Mapping[str, int], shares: Mapping[str, Fraction]) -> dict[str, int]:
    """How many rows of each type to keep, so that their shares are as asked and as many as possible stay.

    `shares` sum to 1. Raises BalanceError for a type without a share, and for one with a share and without rows.
    """
    if other := sorted(counts.keys() - shares.keys()):
        raise BalanceError(f"there are labels of type {other[0]!r}, for which no share is given")
    if absent := sorted(name for name, share in shares.items() if share and not counts.get(name)):
        raise BalanceError(
            f"a share of {float(shares[absent[0]]):.1%} is asked of {absent[0]!r}, of which there is none"
        )
    whole = min(counts[name] / share for name, share in shares.items() if share)
    return {name: int(whole * shares[name]) for name in counts}


class Thinning:
    """Keeps exactly so many rows of each type in one pass, every choice equally likely (Knuth's algorithm S)."""

    def __init__(self, counts: Mapping[str, int], kept: Mapping[str, int], seed: int) -> None:
        self._left = dict(counts)
        self._wanted = dict(kept)
        self._random = Random(seed)

    def keeps(self, label_type: str) -> bool:
        """Whether the next row, of this type, stays; to be asked once for each of the rows that were counted."""
        keep = self._random.randrange(self._left[label_type]) < self._wanted[label_type]
        self._left[label_type] -= 1
        self._wanted[label_type] -= keep
        return keep
