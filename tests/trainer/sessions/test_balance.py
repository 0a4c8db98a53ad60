"""Class balance by leaving rows out."""

from collections import Counter
from fractions import Fraction
from math import sqrt

import pytest

from trainer.sessions.balance import PAPER, BalanceError, Thinning, counts_kept

HALF = {"click": Fraction(1, 2), "terminate": Fraction(1, 2)}


def test_the_papers_shares_are_those_of_its_own_test_set_to_a_point() -> None:
    # Table A1: 690 click, 677 type_and_submit, 512 terminate of 1,879.
    paper = {"click": 690, "type_and_submit": 677, "terminate": 512}
    assert sum(PAPER.values()) == 1
    for name, count in paper.items():
        assert abs(float(PAPER[name]) - count / 1_879) < 0.01
    assert PAPER["click"] - PAPER["terminate"] == PAPER["type_and_submit"] - PAPER["terminate"] == Fraction(1, 10)


def test_as_many_rows_stay_as_the_scarcest_type_allows() -> None:
    assert counts_kept({"click": 1_000, "terminate": 300}, HALF) == {"click": 300, "terminate": 300}
    # 300 terminate are 8/30 of 1,125, of which click and type_and_submit are 412.5 each.
    kept = counts_kept({"click": 1_000, "type_and_submit": 2_000, "terminate": 300}, PAPER)
    assert kept == {"click": 412, "type_and_submit": 412, "terminate": 300}


def test_a_share_of_nothing_leaves_a_type_out() -> None:
    shares = {"click": Fraction(1), "terminate": Fraction(0)}
    assert counts_kept({"click": 10, "terminate": 5}, shares) == {"click": 10, "terminate": 0}


def test_labels_without_a_share_and_shares_without_labels_are_refused() -> None:
    with pytest.raises(BalanceError, match="type 'scroll', for which no share"):
        counts_kept({"click": 1, "terminate": 1, "scroll": 1}, HALF)
    with pytest.raises(BalanceError, match="'terminate', of which there is none"):
        counts_kept({"click": 1}, HALF)


def test_exactly_so_many_are_kept_whatever_the_seed() -> None:
    for seed in range(20):
        thinning = Thinning({"click": 100, "terminate": 7}, {"click": 13, "terminate": 7}, seed)
        kept = Counter(name for name in ["click"] * 100 + ["terminate"] * 7 if thinning.keeps(name))
        assert kept == {"click": 13, "terminate": 7}


def test_every_row_is_as_likely_to_stay_as_any_other() -> None:
    times = 2_000
    stayed = [0] * 10
    for seed in range(times):
        thinning = Thinning({"click": 10}, {"click": 3}, seed)
        for position in range(10):
            stayed[position] += thinning.keeps("click")
    assert max(abs(count / times - 0.3) for count in stayed) < 4 * sqrt(0.3 * 0.7 / times)
