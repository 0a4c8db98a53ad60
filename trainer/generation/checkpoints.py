"""The models that a training run has left in its folder."""

import re
from pathlib import Path

from trainer.generation.errors import GenerationError

_CHECKPOINT = re.compile(r"(best_)?global_step(\d+)_hf")
"""As OpenRLHF 0.11.2 names what `--ckpt.save_hf` saves under `--ckpt.path`, for SFT and RL alike."""


def checkpoints(run: Path) -> list[Path]:
    """The Hugging Face checkpoints of a run's folder in the order of their steps, then its final model.

    Raises GenerationError where there is none.
    """
    folder = run / "checkpoints"
    found = [
        (int(match[2]), match[1] or "", path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.is_dir() and (match := _CHECKPOINT.fullmatch(path.name))
    ]
    final = run / "model"
    models = [path for _, _, path in sorted(found)] + ([final] if final.is_dir() else [])
    if not models:
        raise GenerationError(
            f"{run}: neither checkpoints/global_step…_hf, which training saves with --ckpt.save_hf, nor model is in it"
        )
    return models
