"""The bootstrap, where its distribution is known: a mean of independent rollouts is binomial under it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from trainer.bootstrap import Sample, Settings, interval, resampled


def sample_of(singles: dict[float, int], wholes: list[tuple[float, int]] | None = None) -> Sample:
    """Clusters as (hits, rollouts): singles by how often each number of hits comes."""
    whole = np.array(wholes or np.zeros((0, 2)), dtype=np.float64)
    kinds = np.array([(hits, 1) for hits in singles], dtype=np.float64).reshape(-1, 2)
    return Sample(whole, kinds, np.array([*singles.values()], dtype=np.int64))


def means(sample: Sample, settings: Settings) -> NDArray[np.float64]:
    sums = np.concatenate([*resampled(sample, settings)])
    assert sums.shape == (settings.resamples, 2)
    ratio: NDArray[np.float64] = sums[:, 0] / sums[:, 1]
    return ratio


@pytest.mark.parametrize("hits", [1, 60, 150])
def test_the_interval_of_a_share_of_single_rollouts_is_the_binomial_one(hits: int) -> None:
    drawn = means(sample_of({1: hits, 0: 200 - hits}), Settings(resamples=20_000))
    expected = stats.binom.ppf((0.025, 0.975), 200, hits / 200) / 200
    assert interval(drawn, 0.95) == pytest.approx(expected, abs=1.01 / 200)


def test_kinds_of_single_rollouts_and_whole_clusters_are_drawn_alike() -> None:
    settings = Settings(resamples=20_000)
    by_kind = sample_of({1: 30, 0: 70})
    one_by_one = sample_of({}, [(1, 1)] * 30 + [(0, 1)] * 70)
    mixed = sample_of({1: 10, 0: 50}, [(1, 1)] * 20 + [(0, 1)] * 20)
    one, two, three = (means(sample, settings) for sample in (by_kind, one_by_one, mixed))
    assert stats.ks_2samp(one, two).pvalue > 1e-4
    assert stats.ks_2samp(one, three).pvalue > 1e-4


def test_rollouts_that_hang_together_widen_the_interval_as_if_each_cluster_were_one() -> None:
    together = means(sample_of({}, [(9, 9)] * 30 + [(0, 9)] * 70), Settings(resamples=20_000))
    # sd of a share of 100 clusters: √(0.3 · 0.7 / 100); of 900 independent rollouts it would be a third of that
    assert together.std() == pytest.approx((0.3 * 0.7 / 100) ** 0.5, rel=0.03)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(5)
    held = 0
    for seed in range(400):
        hits = int(generator.binomial(150, 0.3))
        low, high = interval(means(sample_of({1: hits, 0: 150 - hits}), Settings(500, seed)), 0.95) or (1.0, 0.0)
        held += low <= 0.3 <= high
    # 95 % of 400, less what a percentile interval of 150 rollouts falls short of; sd of the count 4.4
    assert 0.91 <= held / 400 <= 0.98


def test_a_resample_has_as_many_clusters_as_there_are() -> None:
    sums = np.concatenate([*resampled(sample_of({1: 3, 0: 4}, [(5, 1), (2, 1)]), Settings(resamples=500))])
    assert set(sums[:, 1]) == {9}


def test_resamples_come_in_chunks_that_bound_their_memory() -> None:
    sample = sample_of({}, [(1, 1)] * 100_000)
    chunks = [len(sums) for sums in resampled(sample, Settings(resamples=200))]
    assert sum(chunks) == 200
    assert max(chunks) * 100_000 * 8 <= 2**26


def test_undefined_values_are_left_out_of_an_interval_and_nothing_else_leaves_none() -> None:
    values = np.array([np.nan, *range(101), np.nan])
    assert interval(values, 0.9) == pytest.approx((5, 95))
    assert interval(np.array([np.nan]), 0.9) is None


def test_a_higher_confidence_makes_a_wider_interval() -> None:
    drawn = means(sample_of({1: 60, 0: 140}), Settings())
    (low, high), (lower, higher) = interval(drawn, 0.8) or (0, 0), interval(drawn, 0.99) or (0, 0)
    assert lower < low < high < higher
