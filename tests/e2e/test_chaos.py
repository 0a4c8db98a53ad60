"""The short form of `make chaos`: whatever is done to the server, no reward is lost, and none is wrong."""

import subprocess
import sys

import pytest

from tests.chaos.trials import trials

pytestmark = pytest.mark.e2e

TRIALS = trials(short=True)
MOST_MIB = 500
"""For bodies of 24 MiB: two processes of 90, and 12 times the body."""


@pytest.mark.parametrize("name", sorted(TRIALS))
def test_it_holds(name: str) -> None:
    outcome = TRIALS[name]()
    assert outcome.is_good, outcome
    assert outcome.tries
    if name.startswith("attack"):
        assert outcome.peak_mib < MOST_MIB
    else:
        assert outcome.asked


def test_a_trial_that_there_is_not_is_no_success() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--short", "--only", "sever-killed"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "server-killed" in done.stderr
