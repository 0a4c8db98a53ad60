"""Bins of similarities, from integers."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward.similarity import Similarity
from trainer.evaluation.similarities import bin_of


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        (Similarity(0, 1), 0),
        (Similarity(2, 41), 0),  # 0.0488
        (Similarity(2, 40), 1),  # exactly 0.05
        (Similarity(6, 8), 15),  # exactly 0.75
        (Similarity(38, 40), 19),
        (Similarity(4, 4), 19),
    ],
)
def test_a_bin_holds_its_lower_end_and_the_last_one_its_upper_too(similarity: Similarity, expected: int) -> None:
    assert bin_of(similarity) == expected


@given(st.integers(0, 40), st.integers(1, 80))
def test_every_similarity_lies_in_its_bin(half: int, total: int) -> None:
    similarity = Similarity(min(2 * half, total), total)
    number = bin_of(similarity)
    assert Fraction(number, 20) <= Fraction(*similarity) < Fraction(number + 1, 20) + (number == 19)
