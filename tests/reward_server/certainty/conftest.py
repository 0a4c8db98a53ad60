"""Tiny models of every architecture, and the source `local` with each."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from tokenizers import Tokenizer

from reward_server.certainty.local import LocalSource
from tests.reward_server.certainty.tiny_models import Architecture, write_model


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each architecture."""
    root = tmp_path_factory.mktemp("models")
    return {name: write_model(root / name, name, seed=1) for name in get_args(Architecture)}


@pytest.fixture(scope="session")
def sources(folders: dict[str, Path]) -> dict[str, LocalSource]:
    return {name: LocalSource(str(folder)) for name, folder in folders.items()}


@pytest.fixture(scope="session")
def source(sources: dict[str, LocalSource]) -> LocalSource:
    return sources["qwen2"]


@pytest.fixture(scope="session")
def tokenizer(folders: dict[str, Path]) -> Tokenizer:
    return Tokenizer.from_file(str(folders["qwen2"] / "tokenizer.json"))


@pytest.fixture
def changed(folders: dict[str, Path], tmp_path: Path) -> Callable[[Callable[[Path], object]], str]:
    """A copy of a model after something was done to it."""

    def change(what: Callable[[Path], object]) -> str:
        folder = tmp_path / "changed"
        shutil.copytree(folders["qwen2"], folder)
        what(folder)
        return str(folder)

    return change
