"""Groups that all earn the same have no advantage, in the very float32 that OpenRLHF computes it in."""

import random

import pytest
import torch

from trainer.openrlhf.agent.equal_rewards import as_float32_can_average


def advantages(groups: list[list[float]]) -> torch.Tensor:
    """As `group_norm` has them: experience_maker.py of OpenRLHF 0.11.2, lines 232 to 268."""
    rewards = torch.tensor(groups)
    return (rewards - rewards.mean(-1, keepdim=True)) / (rewards.std(-1, keepdim=True) + 1e-9)


def alike(number: int, size: int, largest: float) -> list[list[float]]:
    drawn = random.Random(size)
    return [[largest * drawn.uniform(0.5, 1)] * size for _ in range(number)]


def given(group: list[float]) -> list[float]:
    return [as_float32_can_average(reward, group) for reward in group]


def test_without_it_equal_rewards_would_get_enormous_advantages() -> None:
    assert advantages(alike(500, 8, 1001.03)).abs().max() > 1e4


@pytest.mark.parametrize("size", [2, 4, 6, 7, 8, 16, 64])
@pytest.mark.parametrize("largest", [1e-3, 0.83, 1.03, 1001.03, 1e6])
def test_equal_rewards_have_no_advantage(size: int, largest: float) -> None:
    groups = alike(500, size, largest)
    assert advantages([given(group) for group in groups]).abs().max() == 0


@pytest.mark.parametrize("size", [2, 8, 64])
def test_the_change_is_below_a_millionth(size: int) -> None:
    for group in alike(500, size, 1001.03):
        assert given(group)[0] == pytest.approx(group[0], rel=size * 2**-23)


def test_rewards_that_only_rounding_tells_apart_are_equal() -> None:
    # float32 has steps of 2^-14 there.
    assert len(set(given([1001.03, 1001.03 + 2**-15, 1001.03 - 2**-16]))) == 1


def test_rewards_that_differ_are_given_as_they_are() -> None:
    for group in ([1001.03, 1001.031], [0.83, 0.830001], [-1.0, 1.0], [0.0, 1e-30]):
        assert given(group) == group


def test_no_reward_at_all_and_a_group_of_one_stay_what_they_are() -> None:
    assert given([0.0] * 8) == [0.0] * 8
    assert given([1001.0333]) == [1001.0333]
    assert advantages([given([-0.3] * 8)]).abs().max() == 0
