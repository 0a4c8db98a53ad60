import numpy as np
import pytest
from scipy import stats

from trainer.bootstrap import Settings
from trainer.training_curves.change import block_length, change_of, widened

FEW = Settings(resamples=200)


def test_the_first_and_the_last_tenth_are_held_against_each_other() -> None:
    found = change_of(np.arange(100.0), FEW)
    # Means of 0 … 9 and of 90 … 99.
    assert (found.points, found.averaged) == (100, 10)
    assert (found.first, found.last, found.difference) == pytest.approx((4.5, 94.5, 90))


@pytest.mark.parametrize(("points", "averaged"), [(1, 1), (10, 1), (11, 2), (95, 10), (100, 10)])
def test_a_tenth_is_rounded_up(points: int, averaged: int) -> None:
    assert change_of(np.zeros(points), FEW).averaged == averaged


def test_one_step_is_first_and_last() -> None:
    found = change_of(np.array([0.7]), FEW)
    assert (found.first, found.last, found.difference, found.interval) == (0.7, 0.7, 0, None)
    assert found.reason == "it takes 31 steps, and there are 1"


def test_there_is_an_interval_from_31_steps_on() -> None:
    values = np.random.default_rng(0).normal(size=31)
    assert change_of(values[:30], FEW).interval is None
    found = change_of(values, FEW)
    assert found.interval is not None
    assert found.reason is None


def test_a_constant_changes_by_exactly_nothing() -> None:
    found = change_of(np.full(200, 0.1), FEW)
    assert (found.first, found.last, found.difference, found.interval) == (0.1, 0.1, 0, (0, 0))


@pytest.mark.parametrize(
    ("steps", "length"), [(1, 1), (4, 1), (9, 1), (10, 2), (20, 4), (25, 5), (30, 5), (100, 10), (10_000, 100)]
)
def test_blocks_are_as_long_as_there_are_many_but_at_least_five(steps: int, length: int) -> None:
    assert block_length(steps) == length


def test_the_interval_of_independent_steps_is_that_of_two_means() -> None:
    values = np.random.default_rng(1).normal(size=40_000)
    found = change_of(values, Settings(resamples=4_000))
    # Either mean is of 4,000 steps, in about 63 blocks: √(2 / 4000) · 1.96 to either side.
    half = 1.96 * (2 / 4_000) ** 0.5
    assert found.interval is not None
    low, high = found.interval
    assert (high - low) / 2 == pytest.approx(half, rel=0.25)
    assert (high + low) / 2 == pytest.approx(found.difference, abs=half / 5)


def test_steps_that_hang_together_widen_the_interval() -> None:
    noise = np.random.default_rng(2).normal(size=4_000)
    alike = np.repeat(noise[:400], 10)
    wide, usual = (change_of(values, FEW).interval for values in (alike, noise))
    assert wide is not None
    assert usual is not None
    # Ten alike steps count as one: √10 times as wide, of which blocks of 20 steps see nearly all.
    assert wide[1] - wide[0] > 2 * (usual[1] - usual[0])


@pytest.mark.parametrize("steps", [31, 60, 300])
def test_intervals_of_independent_steps_hold_the_truth_about_as_often_as_they_say(steps: int) -> None:
    generator = np.random.default_rng(3)
    held = 0
    for seed in range(400):
        low, high = change_of(generator.normal(size=steps), Settings(400, seed)).interval or (1.0, 0.0)
        held += low <= 0 <= high
    # sd of the share 1.1 points; unwidened percentile intervals of four steps hold it 85 % of the time
    assert 0.89 <= held / 400 <= 0.99


@pytest.mark.parametrize("blocks", [4, 5, 10, 100])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_percentiles_are_widened_to_students_interval(blocks: int, confidence: float) -> None:
    quantile = stats.t.ppf((1 + confidence) / 2, 2 * (blocks - 1)) * (blocks / (blocks - 1)) ** 0.5
    assert widened(confidence, blocks) == pytest.approx(2 * stats.norm.cdf(quantile) - 1, abs=5e-4)


def test_the_same_settings_give_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(4).normal(size=100)
    assert change_of(values, FEW) == change_of(values, FEW)
    assert change_of(values, FEW).interval != change_of(values, FEW._replace(seed=1)).interval


def test_the_largest_seed_is_one() -> None:
    assert change_of(np.arange(50.0), FEW._replace(seed=2**63 - 1)).interval is not None
