"""A curve without its noise."""

from math import isqrt

import numpy as np
from numpy.typing import NDArray


def window_of(points: int) -> int:
    """How many points to average over: the square root of their number, made odd."""
    return isqrt(points) | 1


def centred_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """The mean over the `window` (odd) points around each point, (points); at the ends over those of them there are."""
    points, half = len(values), window // 2
    origin = values[0]  # taken away before summing, so that equal values stay equal
    sums = np.concatenate([[0.0], np.cumsum(values - origin)])
    at = np.arange(points)
    start, stop = np.maximum(at - half, 0), np.minimum(at + half + 1, points)
    smooth: NDArray[np.float64] = origin + (sums[stop] - sums[start]) / (stop - start)
    return smooth
