"""The short form of what `make fuzz` tries a million times: the seeds, and changes to them that need no coverage."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.amount import EXAMPLES
from tests.fuzz.seeds import SEEDS, WORDS
from tests.fuzz.targets import TARGETS

PIECES = st.binary(max_size=10) | st.sampled_from([word.encode() for word in WORDS])


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_passes(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
@settings(max_examples=5 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_seed_with_a_piece_put_in_cut_out_or_repeated_passes(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[name]))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(seed))] * 2)))
    middle = seed[start:end] * data.draw(st.sampled_from([0, 1, 1, 2, 50]))
    TARGETS[name](seed[:start] + middle + data.draw(PIECES) + seed[end:])
