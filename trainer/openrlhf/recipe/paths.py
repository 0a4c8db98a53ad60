"""Paths as a recipe says them, and as any working folder reads them."""

from pathlib import Path
from typing import Any

from trainer.model_names import means_a_folder


def full_path(name: str) -> Path:
    """A path as any working folder reads it."""
    return Path(name).expanduser().absolute()


def model_argument(name: str) -> str:
    """A model as OpenRLHF is told it: a folder by its full path, or a Hub id."""
    return str(full_path(name)) if means_a_folder(name) else name


def with_full_paths(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe's keys that mean the same in any working folder."""
    whole = {"model": model_argument, "data": full_path, "out": full_path}
    return {
        key: str(whole[key](value)) if key in whole and isinstance(value, str) else value
        for key, value in recipe.items()
    }
