"""Fixtures: real servers, and the example rollouts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import Server, running_server


@pytest.fixture(scope="session")
def start_server() -> Callable[..., object]:
    """`with start_server("--spec", "binary", …) as server:`."""
    return running_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server without certainty: spec shop-r1-no-rationale."""
    with running_server("--spec", "shop-r1-no-rationale", "--certainty", "none") as running:
        yield running


@pytest.fixture(scope="session")
def certainty_server() -> Iterator[Server]:
    """A server with the full reward: spec shop-r1, certainty from the rollouts' own logprobs."""
    with running_server() as running:
        yield running


@pytest.fixture(scope="session")
def examples() -> Path:
    """The example rollouts."""
    return Path(__file__).parent.parent / "examples" / "rollouts.jsonl"
