"""What a folder with a model holds, by the names that transformers and vLLM look for."""

import json
from fnmatch import fnmatch
from pathlib import Path

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "consolidated*.safetensors")
_INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json", "consolidated.safetensors.index.json")
_ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")


class NoWeights(ValueError):
    """Why a folder has no whole model's, said of the folder: `has no weights`."""


class AdapterAlone(NoWeights):
    """Its only weights are an adapter's."""


def has_tokenizer(folder: Path) -> bool:
    """Whether any kind of tokenizer is there."""
    return any((folder / name).is_file() for name in _TOKENIZERS)


def weight_files(folder: Path) -> list[Path]:
    """The weights, by name.

    Raises NoWeights where there are none, or not all that an index names, and AdapterAlone where only an adapter's are.
    """
    files = {file.name for file in folder.iterdir() if file.is_file()} if folder.is_dir() else set()
    found = {file for file in files if any(fnmatch(file, pattern) for pattern in _WEIGHTS)}
    for index in files.intersection(_INDICES):
        shards = _shards(folder / index)
        if missing := sorted(shards - files):
            raise NoWeights(f"lacks {missing[0]}, which its {index} names")
        found |= shards
    if found:
        return [folder / file for file in sorted(found)]
    if files.intersection(_ADAPTERS):
        raise AdapterAlone("is an adapter alone: merge it into its base model first")
    raise NoWeights("has no weights")


def _shards(index: Path) -> set[str]:
    try:
        return set(map(str, json.loads(index.read_bytes())["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NoWeights(f"has a {index.name} that cannot be read") from None
