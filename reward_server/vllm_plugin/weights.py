"""Which weights are measured with, told by their contents."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from reward_server.vllm_plugin.architectures import CAUSAL, scoring_name

_CHUNK = 2**22

SAME = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "tie_word_embeddings")
"""What a checkpoint must have in common with the model that it is loaded into."""


class Weights(NamedTuple):
    """One version of a model's weights."""

    revision: str | None
    """A commit, a digest of the files, or the name that a reload gave it; None where none of these is known."""
    loaded_at: str
    """RFC 3339, UTC."""


class FolderError(ValueError):
    """A folder that does not hold weights for the model."""


def now() -> str:
    """The time, RFC 3339, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(folder: Path) -> str | None:
    """SHA-256 of a folder's weight files one after another, by name; None where there are none. Takes seconds a GB."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return None
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    return f"sha256:{found.hexdigest()}"


def check_folder(folder: Path, model: Mapping[str, Any]) -> None:
    """Raise FolderError unless the folder holds weights of the same shape as the `model`, as its configuration says."""
    if not folder.is_dir():
        raise FolderError(f"no folder {folder} on this machine")
    if not any(folder.glob("*.safetensors")):
        raise FolderError(f"no *.safetensors in {folder}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FolderError(f"{folder}/config.json cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise FolderError(f"{folder}/config.json is no JSON object")
    names, served = config.get("architectures") or [], model["architectures"]
    if not any(name.endswith(CAUSAL) and scoring_name(name) in served for name in names):
        raise FolderError(f"architectures is {names!r} in {folder}, which is not what is served as {served!r}")
    for name in SAME:
        if config.get(name, model.get(name)) != model.get(name):
            raise FolderError(
                f"{name} is {config.get(name)!r} in {folder}, but {model.get(name)!r} in the model served"
            )
