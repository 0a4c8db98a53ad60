"""What a run's data and model were, in a line each: told apart from others that later lie at the same path."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from trainer.file_digest import sha256_of
from trainer.model_folder import weight_files
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.recipe.paths import full_path
from trainer.openrlhf.run.folder import RunFolder

_PIECES, _PIECE_BYTES = 64, 2**16


def fingerprints(model: str, data: Path) -> dict[str, str]:
    """SHA-256 of the data, and of the model's config.json with name, size and a sample of each file of its weights.

    A model of the Hub has none: its id says what it is.
    """
    found = {"data": f"sha256:{sha256_of(data)}"}
    folder = full_path(model)
    if folder.is_dir():
        config = f"sha256:{sha256_of(folder / 'config.json')}"
        weights = [f"{file.name} {file.stat().st_size} {_sample(file)}" for file in weight_files(folder)]
        text = "\n".join([config, *weights])
        found["model"] = f"sha256:{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()}"
    return found


def _sample(file: Path) -> str:
    """SHA-256 of pieces spread evenly over a file: training changes every weight, and reading gigabytes takes long."""
    digest, size = hashlib.sha256(), file.stat().st_size
    with file.open("rb") as opened:
        for piece in range(_PIECES):
            opened.seek(max(0, size - _PIECE_BYTES) * piece // (_PIECES - 1))
            digest.update(opened.read(_PIECE_BYTES))
    return digest.hexdigest()


def check_fingerprints(folder: RunFolder, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise FolderError where a run would go on with another model or other data than it was started with."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            was, is_now = before.get(name, "of the Hub"), now.get(name, "of the Hub")
            raise FolderError(
                f"{folder.path} was started with another {name} at that path: its fingerprint was {was}, and is "
                f"{is_now} now; name another --out"
            )
