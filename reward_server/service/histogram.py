"""Prometheus histograms that take many values at once."""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable

import prometheus_client


class Histogram(prometheus_client.Histogram):
    """A histogram, whose `observe` would look through its buckets and lock twice for each value."""

    def observe_all(self, values: Iterable[float]) -> None:
        """Observe finite values, of which many are equal, in no order."""
        total = 0.0
        buckets: Tally[int] = Tally()
        for value, times in Tally(values).items():
            buckets[bisect_left(self._upper_bounds, value)] += times
            total += value * times
        for index, times in buckets.items():
            self._buckets[index].inc(times)
        self._sum.inc(total)
