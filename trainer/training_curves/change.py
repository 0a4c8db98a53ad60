"""By how much a metric changed: its mean over the last tenth of the steps minus that over the first.

Steps near one another are alike, so whole blocks of successive steps are resampled: Carlstein, "The use of subseries
values for estimating the variance of a general statistic from a stationary sequence" (1986). Tenths hold few blocks,
and a percentile interval of few draws is too narrow; it is widened as by Hesterberg, "What Teachers Should Know
About the Bootstrap" (2015): the percentiles are those that give the interval of Student's t where the mean is normal.
"""

from math import isqrt, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from trainer.bootstrap import Interval, Sample, Settings, interval, resampled
from trainer.training_curves.result import Change

_LEAST_BLOCKS = 4

LEAST_STEPS = 10 * _LEAST_BLOCKS - 9
"""Steps with the metric from which on there is an interval; fewer make less than four blocks in either tenth."""


def change_of(values: NDArray[np.float64], settings: Settings) -> Change:
    """The change over a curve's values, (points); `difference` is in their unit."""
    averaged = -(-len(values) // 10)
    origin = values[0]  # taken away before summing, so that equal values differ by 0
    start, end = values[:averaged] - origin, values[-averaged:] - origin
    first, last = float(start.mean()), float(end.mean())
    found = _interval(start, end, settings)
    return Change(
        points=len(values),
        averaged=averaged,
        first=float(origin) + first,
        last=float(origin) + last,
        difference=last - first,
        interval=found,
        reason=f"it takes {LEAST_STEPS} steps, and there are {len(values)}" if found is None else None,
    )


def block_length(steps: int) -> int:
    """Steps per block: the square root of their number, but at least five blocks where there are five steps."""
    return max(1, min(isqrt(steps), steps // 5))


def widened(confidence: float, blocks: int) -> float:
    """The confidence of the percentiles to take for the difference of two means of so many blocks each."""
    normal = NormalDist()
    quantile = _student(normal.inv_cdf((1 + confidence) / 2), 2 * (blocks - 1))
    return 2 * normal.cdf(sqrt(blocks / (blocks - 1)) * quantile) - 1


def _interval(start: NDArray[np.float64], end: NDArray[np.float64], settings: Settings) -> Interval | None:
    blocks = len(start) // block_length(len(start))
    if blocks < _LEAST_BLOCKS:
        return None
    # A seed of its own for each end, for they are drawn independently.
    first, last = (
        _means(values, blocks, settings._replace(seed=2 * settings.seed + place))
        for place, values in enumerate((start, end))
    )
    return interval(last - first, widened(settings.confidence, blocks))


def _means(values: NDArray[np.float64], blocks: int, settings: Settings) -> NDArray[np.float64]:
    """(resamples) The mean of as many blocks as there are, drawn with replacement."""
    bounds = np.linspace(0, len(values), blocks + 1).astype(np.int64)
    sums = np.add.reduceat(values, bounds[:-1])
    whole = np.stack([sums, np.diff(bounds).astype(np.float64)], axis=1)
    drawn = np.concatenate([*resampled(Sample(whole, np.zeros((0, 2)), np.zeros(0, np.int64)), settings)])
    means: NDArray[np.float64] = drawn[:, 0] / drawn[:, 1]
    return means


def _student(z: float, freedom: int) -> float:
    """The quantile of Student's t where the normal's is z: Abramowitz and Stegun, 26.7.5, for 6 degrees or more."""
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
