"""The models that a training run has left in its folder."""

import re
from filecmp import cmp
from pathlib import Path

from trainer.generation.errors import GenerationError
from trainer.model_folder import NoWeights, weight_files

_CHECKPOINT = re.compile(r"(best_)?global_step(\d+)_hf")
"""As OpenRLHF 0.11.2 names what `--ckpt.save_hf` saves under `--ckpt.path`, for SFT and RL alike."""


def checkpoints(run: Path) -> list[Path]:
    """The Hugging Face checkpoints of a run's folder in the order of their steps, then its final model.

    Checkpoints of the last step are left out where their weights are the final model's, byte for byte.
    Raises GenerationError where there is none.
    """
    folder = run / "checkpoints"
    found = sorted(
        (int(match[2]), match[1] or "", path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.is_dir() and (match := _CHECKPOINT.fullmatch(path.name))
    )
    final = run / "model"
    models = [path for step, _, path in found if step < found[-1][0] or not _same_weights(path, final)]
    models += [final] if final.is_dir() else []
    if not models:
        raise GenerationError(
            f"{run}: neither checkpoints/global_step…_hf, which training saves with --ckpt.save_hf, nor model is in it"
        )
    return models


def _same_weights(folder: Path, other: Path) -> bool:
    sizes = _weights(folder)
    if not sizes or sizes != _weights(other):
        return False
    return all(cmp(folder / name, other / name, shallow=False) for name in sizes)


def _weights(folder: Path) -> dict[str, int]:
    """The sizes of the files of weights in a folder; none where it has none, or is not there."""
    try:
        return {file.name: file.stat().st_size for file in weight_files(folder)}
    except NoWeights:
        return {}
