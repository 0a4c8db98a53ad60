"""Fewer logprobs of fewer digits: the bounds from them hold those from all, and are hardly wider."""

from math import log
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.certainty.divergence import Floats, LogprobsError, bounds_from_top_k
from reward_server.certainty.shortening import WIDER, shortened

DIGITS = 1e-6
"""By how much a probability may be off."""


class Known(NamedTuple):
    """The largest logprobs of one token."""

    logprobs: list[float]
    vocab_size: int


@st.composite
def known(draw: st.DrawFn) -> Known:
    """Of distributions from even to one-hot: the more the drawn weights are raised to a power, the surer."""
    weights = np.array(draw(st.lists(st.floats(0.01, 1), min_size=2, max_size=60))) ** draw(st.floats(0, 30))
    p = np.sort(weights / weights.sum())[::-1]
    k = draw(st.integers(1, min(20, p.size)))
    # Tokens that are as good as impossible make no difference to the others.
    return Known(np.log(np.maximum(p[:k], 1e-300)).tolist(), p.size + draw(st.sampled_from([0, 1_000, 151_936])))


def bounds(row: list[float] | Floats, vocab_size: int) -> tuple[float, float]:
    lower, upper = bounds_from_top_k(np.array([row]), vocab_size)
    return float(lower[0]), float(upper[0])


def moved(k: int, vocab_size: int) -> float:
    """The most that the bounds can move where k probabilities do by DIGITS: each by that times its logarithm's slope.

    A tail that was nothing may become k times as much, and its entropy that times the logarithm of V over it.
    """
    return 2 * k * DIGITS * log(vocab_size / DIGITS)


@given(known())
def test_bounds_from_fewer_logprobs_hold_those_from_all_and_are_hardly_wider(token: Known) -> None:
    (row,) = shortened(np.array([token.logprobs]), token.vocab_size)
    unrounded = sorted(token.logprobs, reverse=True)[: len(row)]
    lower, upper = bounds(token.logprobs, token.vocab_size)
    looser_lower, looser_upper = bounds(unrounded, token.vocab_size)
    assert looser_lower <= lower + 1e-9
    assert upper <= looser_upper + 1e-9
    assert (looser_upper - looser_lower) - (upper - lower) <= WIDER + 1e-9


@given(known())
def test_one_logprob_less_would_not_be_enough(token: Known) -> None:
    (row,) = shortened(np.array([token.logprobs]), token.vocab_size)
    lower, upper = bounds(token.logprobs, token.vocab_size)
    for fewer in range(1, len(row)):
        looser_lower, looser_upper = bounds(sorted(token.logprobs, reverse=True)[:fewer], token.vocab_size)
        assert (looser_upper - looser_lower) - (upper - lower) > WIDER - 1e-9


@given(known())
def test_rounding_moves_probabilities_by_a_millionth_and_the_bounds_by_what_follows(token: Known) -> None:
    (row,) = shortened(np.array([token.logprobs]), token.vocab_size)
    unrounded = sorted(token.logprobs, reverse=True)[: len(row)]
    assert np.exp(row).tolist() == pytest.approx(np.exp(unrounded).tolist(), abs=DIGITS)
    as_sent, as_known = bounds(row, token.vocab_size), bounds(unrounded, token.vocab_size)
    assert as_sent == pytest.approx(as_known, abs=moved(len(row), token.vocab_size))


@given(known())
def test_the_certainty_is_at_most_half_of_that_apart(token: Known) -> None:
    (row,) = shortened(np.array([token.logprobs]), token.vocab_size)
    middle, of_all = (sum(bounds(each, token.vocab_size)) / 2 for each in (row, token.logprobs))
    assert middle == pytest.approx(of_all, abs=WIDER / 2 + moved(len(row), token.vocab_size))


def test_a_sure_token_is_told_by_its_first_logprobs_and_an_unsure_one_by_all() -> None:
    sure = np.log([0.9999, 9e-5, 1e-6, 1e-7])
    unsure = np.log([0.3, 0.2, 0.1, 0.1])
    rows = shortened(np.array([sure, unsure]), 1_000)
    assert [len(row) for row in rows] == [2, 4]


def test_the_largest_come_first_in_whatever_order_they_were_given() -> None:
    assert shortened(np.log([[0.1, 0.6, 0.2]]), 4) == shortened(np.log([[0.6, 0.2, 0.1]]), 4)
    (row,) = shortened(np.log([[0.1, 0.6, 0.2]]), 4)
    assert row == sorted(row, reverse=True)


def test_the_less_likely_a_token_the_fewer_the_digits_of_its_logarithm() -> None:
    (row,) = shortened(np.log([[0.5, 0.05, 0.005, 0.0005, 0.44]]), 1_000)
    # The last bounds the half of a hundredth that is left, and is as exact as that.
    assert row == [-0.693147, -0.820981, -2.99573, -5.2983, -7.6009]


def test_what_no_distribution_has_is_refused_with_its_row() -> None:
    with pytest.raises(LogprobsError, match="more than 1") as caught:
        shortened(np.array([[-0.1, -3.0], [-0.1, -0.2]]), 100)
    assert caught.value.row == 1
