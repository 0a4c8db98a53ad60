"""What a run's data and model were, in a line each: told apart from others that later lie at the same path."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from trainer.file_digest import sha256_of
from trainer.model_folder import weight_files
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.recipe.paths import full_path
from trainer.openrlhf.run.folder import RunFolder


def fingerprints(model: str, data: Path) -> dict[str, str]:
    """SHA-256 of the data, and of the model's config.json with the names and sizes of its weights (not what they hold).

    A model of the Hub has none: its id says what it is.
    """
    found = {"data": f"sha256:{sha256_of(data)}"}
    folder = full_path(model)
    if folder.is_dir():
        config = f"sha256:{sha256_of(folder / 'config.json')}"
        weights = [f"{file.name} {file.stat().st_size}" for file in weight_files(folder)]
        text = "\n".join([config, *weights])
        found["model"] = f"sha256:{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()}"
    return found


def check_fingerprints(folder: RunFolder, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise FolderError where a run would go on with another model or other data than it was started with."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            was, is_now = before.get(name, "of the Hub"), now.get(name, "of the Hub")
            raise FolderError(
                f"{folder.path} was started with another {name} at that path: its fingerprint was {was}, and is "
                f"{is_now} now; name another --out"
            )
