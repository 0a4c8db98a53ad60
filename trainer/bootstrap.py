"""The percentile bootstrap over clusters: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

A resample draws as many clusters as there are, with replacement, and every figure is computed anew from its counts.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Interval = tuple[float, float]
"""The lower and the upper bound of a percentile bootstrap interval."""

_CHUNK_WEIGHTS = 2**23

Key = TypeVar("Key")


class Settings(NamedTuple):
    """How to resample."""

    resamples: int = 2000
    seed: int = 0
    confidence: float = 0.95


class Sample(NamedTuple):
    """What is resampled: clusters of several rollouts, and kinds of single ones with how many there are of each."""

    whole: Floats
    """(clusters of several rollouts, columns)."""
    kinds: Floats
    """(kinds, columns)."""
    multiplicity: NDArray[np.int64]
    """(kinds)."""

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return len(self.whole) + int(self.multiplicity.sum())

    def total(self) -> Floats:
        """(columns) Sums over all clusters."""
        total: Floats = self.whole.sum(axis=0) + self.multiplicity @ self.kinds
        return total


def resampled(sample: Sample, settings: Settings) -> Iterator[Floats]:
    """The sums over each resample, as arrays of shape (some resamples, columns) that together make all of them.

    Holds 64 MiB of weights at a time, or one resample's.
    """
    generator = np.random.default_rng(settings.seed)
    at_a_time = max(1, _CHUNK_WEIGHTS // (len(sample.whole) + len(sample.kinds)))
    for start in range(0, settings.resamples, at_a_time):
        yield _sums(sample, generator, min(at_a_time, settings.resamples - start))


def resampled_figures(
    sample: Sample, settings: Settings, figures: Callable[[Floats], Mapping[Key, Floats]]
) -> dict[Key, Floats]:
    """Each figure over all resamples; `figures` makes them from sums of shape (some resamples, columns)."""
    chunks = [figures(sums) for sums in resampled(sample, settings)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def interval(values: Floats, confidence: float) -> Interval | None:
    """The percentile interval of a figure's resampled values, NaN left out; None where nothing is left."""
    defined = values[~np.isnan(values)]
    if not defined.size:
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return float(low), float(high)


def _sums(sample: Sample, generator: np.random.Generator, resamples: int) -> Floats:
    """Draws clusters of one rollout kind by kind, which comes to the same as one by one at a cost of nothing each."""
    wholes, singles = len(sample.whole), int(sample.multiplicity.sum())
    from_singles = generator.binomial(wholes + singles, singles / (wholes + singles), size=resamples)
    sums = np.zeros((resamples, sample.whole.shape[1]))
    if wholes:
        weights = np.empty((resamples, wholes))
        for row, drawn in zip(weights, wholes + singles - from_singles, strict=True):
            row[:] = np.bincount(generator.integers(wholes, size=drawn), minlength=wholes)
        sums += weights @ sample.whole
    if singles:
        sums += generator.multinomial(from_singles, sample.multiplicity / singles) @ sample.kinds
    return sums
