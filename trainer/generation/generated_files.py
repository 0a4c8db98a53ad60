"""Rollout files that are kept: by readable names, each with a JSON file beside it that says what made it."""

import hashlib
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.evaluation.result import Generation
from trainer.file_digest import sha256_of

_LONGEST_NAME = 80


class Made(BaseModel):
    """`NAME.json`: written once `NAME.jsonl` is whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())

    generation: Generation
    model_files: str | None
    """Digest of the names, sizes and times of a model folder's files; None for a Hugging Face id."""
    rollouts: int
    sha256: str
    """Of the rollout file."""


def file_of(folder: Path, generation: Generation, model_files: str | None) -> Path:
    """Where its rollouts lie: `runs-sft-model-t0.7-1a2b3c4d.jsonl`.

    The end is a digest of all that makes a difference, so that other settings never overwrite.
    """
    readable = re.sub(r"[^\w.]+", "-", generation.model, flags=re.ASCII).strip("-.")[-_LONGEST_NAME:] or "model"
    whole = f"{generation.model_dump_json()}\n{model_files}"
    digest = hashlib.sha256(whole.encode(errors="surrogateescape")).hexdigest()[:8]
    return folder / f"{readable}-t{generation.temperature:g}-{digest}.jsonl"


def is_complete(file: Path, generation: Generation, model_files: str | None) -> bool:
    """Whether the file is there, whole, and made in just this way."""
    try:
        made = Made.model_validate_json(file.with_suffix(".json").read_bytes())
        return (made.generation, made.model_files, made.sha256) == (generation, model_files, sha256_of(file))
    except (OSError, ValidationError):
        return False


def record(file: Path, generation: Generation, model_files: str | None, rollouts: int) -> None:
    """Say beside a whole file what made it."""
    made = Made(generation=generation, model_files=model_files, rollouts=rollouts, sha256=sha256_of(file))
    file.with_suffix(".json").write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")


def digest_of_model(model: str) -> str | None:
    """What changes when a model is saved anew in the same folder; None for a Hugging Face id.

    Weights are not read: a checkpoint has gigabytes of them.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return None
    files = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.iterdir())
    return hashlib.sha256(repr(files).encode(errors="surrogateescape")).hexdigest()
