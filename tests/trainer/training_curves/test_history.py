import json
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.training_curves.support import lines
from trainer.training_curves.history import HistoryError, history_file, read_history, run_names


def read(content: bytes) -> dict[str, tuple[list[int], list[float]]]:
    found = read_history(BytesIO(content), "run", "run/history.jsonl")
    return {key: (curve.steps.tolist(), curve.values.tolist()) for key, curve in found.metrics.items()}


def refusal(content: bytes) -> str:
    with pytest.raises(HistoryError) as caught:
        read(content)
    return str(caught.value)


def test_each_metric_has_the_steps_that_name_it() -> None:
    rows = [{"step": 0, "reward": 1, "kl": 0.5}, {"step": 5, "reward": -2.5}, {"step": 7, "lr": 1e-7, "kl": 0}]
    assert read(lines(rows)) == {
        "reward": ([0, 5], [1.0, -2.5]),
        "kl": ([0, 7], [0.5, 0.0]),
        "lr": ([7], [1e-7]),
    }


def test_a_history_says_how_many_steps_it_has_and_which() -> None:
    found = read_history(BytesIO(lines([{"step": 3, "a": 1}, {"step": 9, "b": 1}])), "grpo", "f")
    assert (found.name, found.file, found.steps, found.first, found.last) == ("grpo", "f", 2, 3, 9)


def test_blank_lines_and_a_byte_order_mark_do_not_count() -> None:
    assert read(b'\xef\xbb\xbf{"step": 1, "a": 2}\r\n\n') == {"a": ([1], [2.0])}


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "a step is a JSON object"),
        (b'{"reward": 1}', "it has no step"),
        (b'{"step": 1, "reward": 1}', "/step: step 1 does not come after step 1"),
        (b'{"step": 0, "reward": 1}', "/step: step 0 does not come after step 1"),
        (b'{"step": -1}', "/step: a step is an integer"),
        (b'{"step": 2.0}', "/step: a step is an integer"),
        (b'{"step": true}', "/step: a step is an integer"),
        (b'{"step": "2"}', "/step: a step is an integer"),
        (b'{"step": 1e999}', "/step: not a finite number"),
        (b'{"step": 2, "kl": NaN}', "/kl: not a finite number, so the run is broken from here on"),
        (b'{"step": 2, "kl": -Infinity}', "/kl: not a finite number"),
        (b'{"step": 2, "kl": 1e999}', "/kl: not a finite number"),
        (b'{"step": 2, "kl": -1e101}', "/kl: beyond ±1e+100"),
        (b'{"step": 2, "kl": 1' + b"0" * 350 + b"}", "/kl: beyond ±1e+100"),
        (b'{"step": 2, "a/b": null}', "/a~1b: null, as NaN and infinities are written: the run is broken from here on"),
        (b'{"step": 2, "kl": "0.1"}', "/kl: a text; a metric is a number"),
        (b'{"step": 2, "kl": false}', "/kl: a truth value; a metric is a number"),
        (b'{"step": 2, "kl": {"mean": 1}}', "/kl: nested; a metric is one number"),
        (b'{"step": 2, "kl": [1, 2]}', "/kl: nested; a metric is one number"),
        (b'{"step": 2, "kl": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested deeper than"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_field(second: bytes, reason: str) -> None:
    content = b'{"step": 1, "reward": 0.5}\n' + second + b'\n{"step": 3, "reward": 0.5}\n'
    assert refusal(content).startswith(f"run/history.jsonl:2: {reason}")


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"step": 1'])
def test_a_file_without_steps_is_refused(content: bytes) -> None:
    assert refusal(content) == "run/history.jsonl: it holds no steps"


def test_steps_without_metrics_are_refused() -> None:
    assert refusal(b'{"step": 1}\n') == "run/history.jsonl: its steps have no metrics"


def test_the_line_that_a_run_is_just_writing_does_not_count() -> None:
    assert read(b'{"step": 1, "a": 2}\n{"step": 2, "a"') == {"a": ([1], [2.0])}


def test_a_whole_last_line_counts_without_its_end() -> None:
    assert read(b'{"step": 1, "a": 2}\n{"step": 2, "a": 3}') == {"a": ([1, 2], [2.0, 3.0])}


def test_a_last_line_that_is_written_to_its_end_is_no_excuse() -> None:
    assert refusal(b'{"step": 1, "a": 2}\n{"step": 2, "a"\n').startswith("run/history.jsonl:2: not JSON")
    assert refusal(b'{"step": 1, "a": 2}\n{"step": 2, "a": NaN}').startswith("run/history.jsonl:2: /a: not a finite")


def test_keys_without_number_are_refused_before_they_fill_the_memory() -> None:
    rows = [{"step": step, **{f"{step}/{index}": 1 for index in range(100)}} for step in range(12)]
    assert refusal(lines(rows)) == ("run/history.jsonl:11: with this line there are more than 1,000 different fields")


def test_a_hundred_thousand_steps_are_read_within_seconds() -> None:
    row = b'{"step": %d, "reward": 0.5, "kl": 0.1, "valid": 1.0}\n'
    content = b"".join(row % step for step in range(100_000))
    start = time.process_time()
    found = read_history(BytesIO(content), "run", "file")
    # As much as ten times what another parser of the same lines takes, where a quadratic one would take thousands.
    ours, again = time.process_time() - start, time.process_time()
    for line in content.splitlines():
        json.loads(line)
    assert ours < 10 * (time.process_time() - again) + 1
    assert np.array_equal(found.metrics["kl"].steps, np.arange(100_000))


def test_a_run_is_named_after_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "grpo-binary"
    run.mkdir()
    assert history_file(run) == run / "history.jsonl"
    assert history_file(run / "history.jsonl") == run / "history.jsonl"
    assert run_names([run / "history.jsonl"]) == ["grpo-binary"]


def test_a_file_of_another_name_is_called_by_that() -> None:
    assert run_names([Path("curves/binary.jsonl"), Path("curves/dars.jsonl")]) == ["binary", "dars"]


def test_runs_whose_folders_share_a_name_are_told_apart_by_those_around_them() -> None:
    paths = [Path("/a/mon/grpo/history.jsonl"), Path("/a/tue/grpo/history.jsonl"), Path("/a/tue/sft/history.jsonl")]
    assert run_names(paths) == ["mon/grpo", "tue/grpo", "tue/sft"]


def test_the_folder_that_one_stands_in_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "grpo"
    run.mkdir()
    monkeypatch.chdir(run)
    assert run_names([history_file(Path())]) == ["grpo"]
