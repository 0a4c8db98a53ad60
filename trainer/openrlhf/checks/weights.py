"""The weights of a model's folder: which of its files transformers and vLLM would load."""

import json
from fnmatch import fnmatch
from pathlib import Path

from trainer.openrlhf.problems import InputError

_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "consolidated*.safetensors")
_INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json", "consolidated.safetensors.index.json")
_ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")


def weight_files(folder: Path, name: str) -> list[Path]:
    """The weights, by name; `name` is what an error calls the model.

    Raises InputError where there are none, where an adapter's are the only ones, and where an index names shards that
    are not there.
    """
    files = {file.name for file in folder.iterdir() if file.is_file()}
    found = {file for file in files if any(fnmatch(file, pattern) for pattern in _WEIGHTS)}
    for index in files.intersection(_INDICES):
        shards = _shards(folder / index, name)
        if missing := sorted(shards - files):
            raise InputError(f"model: {name} lacks {missing[0]}, which its {index} names")
        found |= shards
    if found:
        return [folder / file for file in sorted(found)]
    if files.intersection(_ADAPTERS):
        raise InputError(f"model: {name} is an adapter alone: merge it into its base model first")
    raise InputError(f"model: {name} has no weights")


def _shards(index: Path, name: str) -> set[str]:
    try:
        return set(map(str, json.loads(index.read_bytes())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"model: {name} has a {index.name} that cannot be read") from None
