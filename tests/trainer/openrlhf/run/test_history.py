"""The steps of a run, as a file that survives what happens to the run."""

from pathlib import Path

import orjson
import pytest

from trainer.openrlhf.run.history import HistoryFile
from trainer.openrlhf.run.log_lines import StepMetrics
from trainer.training_curves.history import read_history


def steps(path: Path) -> list[tuple[int, float]]:
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [(line["step"], line["reward"]) for line in lines]


def test_each_step_is_a_line(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path / "history.jsonl")
    history.add(StepMetrics(1, {"reward": 0.5, "timing/generation": 2.0}))
    assert (tmp_path / "history.jsonl").read_bytes() == b'{"step":1,"reward":0.5,"timing/generation":2.0}\n'


def test_what_is_written_is_what_curves_are_read_from(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    file = HistoryFile(path)
    for step in (1, 2, 3):
        file.add(StepMetrics(step, {"reward": step / 3, "timing/generation": 1e-300}))
    with path.open("rb") as source:
        read = read_history(source, "run", str(path))
    assert (read.steps, read.first, read.last) == (3, 1, 3)
    found = {key: (list(curve.steps), list(curve.values)) for key, curve in read.metrics.items()}
    assert found == {
        "reward": ([1, 2, 3], [1 / 3, 2 / 3, 1.0]),
        "timing/generation": ([1, 2, 3], [1e-300, 1e-300, 1e-300]),
    }


def test_a_resumed_run_replaces_the_steps_that_it_goes_over_again(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    first = HistoryFile(path)
    for step in range(1, 6):
        first.add(StepMetrics(step, {"reward": float(step)}))
    resumed = HistoryFile(path)
    for step in range(4, 7):
        resumed.add(StepMetrics(step, {"reward": 10.0 * step}))
    assert steps(path) == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0), (5, 50.0), (6, 60.0)]


def test_half_a_line_that_a_killed_run_left_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"step":1,"reward":1.0}\n{"step":2,"rew')
    HistoryFile(path).add(StepMetrics(2, {"reward": 2.0}))
    assert steps(path) == [(1, 1.0), (2, 2.0)]


def test_a_step_out_of_turn_changes_nothing(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path / "history.jsonl")
    for step in (1, 2, 3):
        history.add(StepMetrics(step, {"reward": float(step)}))
    with pytest.raises(ValueError, match="step 1 was reported after step 3"):
        history.add(StepMetrics(1, {}))
    assert [step for step, _ in steps(tmp_path / "history.jsonl")] == [1, 2, 3]
