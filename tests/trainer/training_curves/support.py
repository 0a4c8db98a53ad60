"""Histories made by hand."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from trainer.bootstrap import Settings
from trainer.training_curves.curves import TrainingCurves, training_curves
from trainer.training_curves.history import History, read_history

QUICK = Settings(resamples=200)

Rows = Sequence[Mapping[str, object]]


def lines(rows: Rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def written(folder: Path, rows: Rows) -> Path:
    """A run's folder with this history."""
    folder.mkdir(parents=True)
    (folder / "history.jsonl").write_bytes(lines(rows))
    return folder


def history(name: str, rows: Rows) -> History:
    return read_history(BytesIO(lines(rows)), name, f"runs/{name}/history.jsonl")


def curves(**runs: Rows) -> TrainingCurves:
    return training_curves([history(name, rows) for name, rows in runs.items()], QUICK)


def grpo(steps: int, rise: float = 1.0, terminate: float = 0.0) -> Rows:
    """A run whose metrics move evenly from the first step to the last, apart from a flutter that averages to 0."""
    rows = []
    for step in range(1, steps + 1):
        done, flutter = (step - 1) / max(1, steps - 1), 0.01 * (-1) ** step
        rows.append(
            {
                "step": step,
                "reward": 1 + rise * done + flutter,
                "term_value": 900 + 100 * done,
                "term_type": 0.3,
                "predicts_click": 0.5 - terminate * done / 2,
                "predicts_terminate": 0.5 + terminate * done / 2,
                "valid": 0.9,
                "kl": 0.01 * done,
            }
        )
    return rows


def sft(steps: int) -> Rows:
    return [{"step": 10 * step, "gpt_loss": 3 / step, "lr": 2e-5 / step} for step in range(1, steps + 1)]
