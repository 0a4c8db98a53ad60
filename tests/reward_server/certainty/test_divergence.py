"""Bounds of self-certainty from the top k log-probabilities: they hold the truth and are attained."""

from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.certainty.divergence import Floats, LogprobsError, bounds_from_top_k

weights = st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=30)


def kl_to_uniform(p: Floats) -> float:
    """Its definition: Σ p ln(p·V)."""
    positive = p[p > 0]
    return float((positive * np.log(positive * p.size)).sum())


def bounds(p: Floats, k: int) -> tuple[float, float]:
    """From the k largest probabilities of p."""
    lower, upper = bounds_from_top_k(np.log(np.sort(p)[::-1][:k])[None, :], p.size)
    return float(lower[0]), float(upper[0])


@given(weights, st.data())
def test_the_truth_lies_within_the_bounds(drawn: list[float], data: st.DataObject) -> None:
    p = np.array(drawn) / sum(drawn)
    lower, upper = bounds(p, data.draw(st.integers(1, p.size)))
    assert lower - 1e-9 <= kl_to_uniform(p) <= upper + 1e-9


@given(weights)
def test_more_logprobs_never_loosen_the_bounds(drawn: list[float]) -> None:
    p = np.array(drawn) / sum(drawn)
    by_k = [bounds(p, k) for k in range(1, p.size + 1)]
    for (lower, upper), (tighter_lower, tighter_upper) in pairwise(by_k):
        assert lower <= tighter_lower + 1e-9
        assert tighter_upper <= upper + 1e-9
    assert by_k[-1] == pytest.approx((kl_to_uniform(p),) * 2, abs=1e-9)


def test_the_lower_bound_is_attained_by_an_even_tail_and_the_upper_by_a_packed_one() -> None:
    even = np.array([0.4, 0.3] + [0.3 / 6] * 6)
    packed = np.array([0.4, 0.25, 0.25, 0.1, 0.0, 0.0, 0.0, 0.0])
    lower, _ = bounds(even, 2)
    _, upper = bounds_from_top_k(np.log([[0.4, 0.25]]), 8)
    assert lower == pytest.approx(kl_to_uniform(even), abs=1e-12)
    assert float(upper[0]) == pytest.approx(kl_to_uniform(packed), abs=1e-12)


def test_one_token_worked_out_by_hand() -> None:
    # V = 4, the largest p = 1/2: the rest is 1/6 each (H = ½ ln 2 + ½ ln 6) or one token of 1/2 (H = ln 2).
    lower, upper = bounds_from_top_k(np.array([[log(0.5)]]), 4)
    assert float(lower[0]) == pytest.approx(log(4) - (0.5 * log(2) + 0.5 * log(6)), abs=1e-12)
    assert float(upper[0]) == pytest.approx(log(4) - log(2), abs=1e-12)


def test_uniform_is_zero_and_one_hot_is_the_logarithm_of_the_vocabulary() -> None:
    assert bounds(np.full(8, 1 / 8), 3) == pytest.approx((0, 0), abs=1e-12)
    lower, upper = bounds_from_top_k(np.array([[0.0, -800.0]]), 151_936)
    assert (float(lower[0]), float(upper[0])) == pytest.approx((log(151_936),) * 2, abs=1e-9)


@given(st.permutations([-0.5, -1.5, -2.5, -4.0]))
def test_the_order_of_the_logprobs_does_not_matter(row: list[float]) -> None:
    shuffled = bounds_from_top_k(np.array([row]), 1000)
    in_order = bounds_from_top_k(np.array([[-0.5, -1.5, -2.5, -4.0]]), 1000)
    assert float(shuffled.lower[0]) == pytest.approx(float(in_order.lower[0]))
    assert float(shuffled.upper[0]) == pytest.approx(float(in_order.upper[0]))


def test_bounds_of_rounded_logprobs_stay_in_order_and_in_range() -> None:
    rounded = np.array([[round(log(p), 4) for p in (0.6, 0.4)], [round(log(p), 4) for p in (0.99996, 0.00004)]])
    lower, upper = bounds_from_top_k(rounded, 2)
    assert (lower >= 0).all()
    assert (lower <= upper).all()
    assert (upper <= log(2)).all()


@pytest.mark.parametrize(
    ("rows", "vocab_size", "row", "words"),
    [
        ([[-0.1, -3.0], [0.2, -3.0]], 100, 1, "above 0"),
        ([[-0.1, -3.0], [-0.1, -0.2]], 100, 1, "more than 1"),
        ([[-0.1, -3.0, -4.0]], 2, 0, "3 log-probabilities, but a vocabulary of 2"),
        ([[0.0, -np.inf], [-0.1, -9.0]], 1, 1, "2 log-probabilities, but a vocabulary of 1"),
        ([[-0.1, -np.inf], [-3.0, -np.inf]], 10, 1, "the 1 largest of 10: the remaining 9 tokens"),
        # 0.9 of mass left for 98 tokens of at most e^-5 each
        ([[-3.0, -5.0]], 100, 0, "likelier"),
        ([[-0.7, -1.5]], 2, 0, "likelier"),
    ],
)
def test_what_no_distribution_has_is_refused_with_its_row(
    rows: list[list[float]], vocab_size: int, row: int, words: str
) -> None:
    with pytest.raises(LogprobsError) as caught:
        bounds_from_top_k(np.array(rows), vocab_size)
    assert caught.value.row == row
    assert words in caught.value.reason


def test_each_token_is_bounded_by_itself() -> None:
    rows = np.array([[-0.1, -3.0], [-1.0, -1.2]])
    together = bounds_from_top_k(rows, 50)
    alone = [bounds_from_top_k(rows[i : i + 1], 50) for i in range(2)]
    assert together.lower.tolist() == [float(item.lower[0]) for item in alone]
    assert exp(-0.1) + exp(-3.0) < 1, "the rows are distributions"


def test_rows_of_several_lengths_are_bounded_as_they_are_alone() -> None:
    rows = [[-0.1, -3.0, -5.0], [-1.0, -1.2], [-0.01]]
    together = bounds_from_top_k(np.array([row + [-np.inf] * (3 - len(row)) for row in rows]), 50)
    alone = [bounds_from_top_k(np.array([row]), 50) for row in rows]
    assert together.lower.tolist() == pytest.approx([float(item.lower[0]) for item in alone], abs=1e-12)
    assert together.upper.tolist() == pytest.approx([float(item.upper[0]) for item in alone], abs=1e-12)


@given(weights)
def test_with_nothing_left_out_the_bounds_are_the_truth(drawn: list[float]) -> None:
    p = np.array(drawn) / sum(drawn)
    assert bounds(p, p.size) == pytest.approx((kl_to_uniform(p),) * 2, abs=1e-9)
