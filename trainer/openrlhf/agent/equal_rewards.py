"""Rewards that are equal, given to a trainer so that it finds them equal.

`--algo.advantage.estimator group_norm` divides a reward less its group's mean by the group's standard deviation plus
1e-9, in float32 (experience_maker.py:268). The mean of eight times 1001.033 is not 1001.033 in float32 but a 2^-14 off,
and the deviation is 0: where all rollouts of a group earn the same, each gets an advantage of 61,035, cut to what
`--reward.clip_range` allows, 10 by default, when the strongest that a group can rightly give is 2.5.
"""

from collections.abc import Sequence
from math import frexp, ldexp

import numpy as np

_FLOAT32_BITS = 24


def as_float32_can_average(reward: float, group: Sequence[float]) -> float:
    """The reward, or where the group's are all one to float32, the next number of which float32 can sum so many.

    `group` has the rewards of all its rollouts, this one among them. The change is at most 2^-24 of their sum; a mean,
    and so an advantage of exactly 0, is what all of them get.
    """
    largest = max(map(abs, group))
    if len(group) < 2 or max(group) - min(group) > np.spacing(np.float32(largest)):
        return reward
    # Any sum of these is a whole multiple of the grid, and below 2^24 of them.
    grid = ldexp(1.0, frexp(len(group) * largest)[1] - _FLOAT32_BITS)
    return round(min(group) / grid) * grid
