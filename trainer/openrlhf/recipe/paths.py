"""Paths as a recipe says them, and as any working folder reads them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trainer.model_names import means_a_folder


def full_path(name: str) -> Path:
    """A path as any working folder reads it."""
    return Path(name).expanduser().absolute()


def model_argument(name: str) -> str:
    """A model as OpenRLHF is told it: a folder by its full path, or a Hub id."""
    return str(full_path(name)) if means_a_folder(name) else name


_WHOLE: Mapping[str, Callable[[str], object]] = {
    "model": model_argument,
    "data": full_path,
    "out": full_path,
    "server.tls.ca_file": full_path,
    "server.tls.certificate": full_path,
    "server.tls.key": full_path,
    "openrlhf.eval.dataset": full_path,
}


def with_full_paths(keys: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """A recipe's keys, such that they mean the same in any working folder.

    With `above`, which ends in a dot, those under one of them, nested or flat.
    """
    return {key: _whole(f"{above}{key}", value) for key, value in keys.items()}


def _whole(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return with_full_paths(value, f"{key}.")
    return str(_WHOLE[key](value)) if key in _WHOLE and isinstance(value, str) else value
