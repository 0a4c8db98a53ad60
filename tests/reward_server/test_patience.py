"""Pauses between attempts: drawn from all that they may be, below a ceiling that doubles."""

import pytest

from reward_server.patience import full_jitter


@pytest.mark.parametrize(("failures", "ceiling"), [(0, 0.1), (1, 0.2), (4, 1.6), (5, 2.0), (10**6, 2.0)])
def test_a_pause_is_anywhere_below_a_ceiling_that_doubles_up_to_a_bound(failures: int, ceiling: float) -> None:
    drawn = [full_jitter(failures, 0.1, 2.0) for _ in range(1_000)]
    assert 0 <= min(drawn) < ceiling / 4
    assert ceiling * 3 / 4 < max(drawn) <= ceiling
