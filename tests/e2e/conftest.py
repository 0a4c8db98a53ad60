"""Fixtures of the slow checks: what takes long to start is started once."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.self_certainty import Scoring


@pytest.fixture(scope="session", params=["qwen2", "qwen3", "llama", "gemma2"])
def scoring(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Scoring"]:
    """A vLLM that serves a tiny model for self-certainty, one architecture after another."""
    # Imported here, for the fast tests are collected without torch being read.
    from tests.e2e.self_certainty import scoring_server

    with scoring_server(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running
