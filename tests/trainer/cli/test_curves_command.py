"""`shop-r1 curves` and `shop-r1 evaluate --history`, run as a user runs them."""

import json
import re
from pathlib import Path

import pytest

from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run
from tests.trainer.evaluation.support import SHOPPERS, content
from tests.trainer.training_curves.support import curves, grpo, sft, written
from trainer.evaluation.result import Evaluation

FEW = ("--resamples", 200)


@pytest.fixture
def dars(tmp_path: Path) -> Path:
    return written(tmp_path / "dars", grpo(60))


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    return written(tmp_path / "binary", grpo(40, rise=0, terminate=1))


def test_the_figures_are_those_of_the_library(dars: Path, tmp_path: Path) -> None:
    done = run("curves", dars, *FEW, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads((tmp_path / "out.json").read_bytes())
    expected = json.loads(curves(dars=grpo(60)).training.model_dump_json())
    expected["runs"][0]["file"] = str(dars / "history.jsonl")
    assert found == expected


def test_a_table_per_run_fits_80_columns(dars: Path, binary: Path) -> None:
    done = run("curves", dars, binary / "history.jsonl", *FEW)
    assert done.returncode == 0
    said = " ".join(done.stdout.split())
    # (1 − 6 / 60) · 60 / 59 of the rise: the middles of the tenths are 54 steps apart.
    assert "dars: the optimised reward rose by 0.9153 (95 % interval" in said
    assert "binary: the optimised reward stayed the same" in said
    assert "predicts_terminate, %" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_report_and_a_drawing_are_written(dars: Path, binary: Path, tmp_path: Path) -> None:
    done = run("curves", dars, binary, *FEW, "--report", tmp_path / "c.html", "--png", tmp_path / "c.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Training of 2 runs" in (tmp_path / "c.html").read_text(encoding="utf-8")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert not list(tmp_path.glob("*.part"))


def test_an_sft_run_has_its_loss(tmp_path: Path) -> None:
    done = run("curves", written(tmp_path / "sft", sft(50)), *FEW, "--png", tmp_path / "c.png")
    assert done.returncode == 0
    assert "sft: the loss fell by" in done.stdout


def test_metrics_that_are_not_shown_are_named(tmp_path: Path) -> None:
    rows = [{"step": 1, "reward": 1, "entropy": 2, "timing/step": 3}]
    done = run("curves", written(tmp_path / "run", rows))
    assert "--json has 2 more: entropy, timing/step." in done.stdout
    assert "An interval takes 31 steps" in done.stdout


def test_a_broken_run_is_named_with_its_line_and_there_are_no_curves(dars: Path, tmp_path: Path) -> None:
    bad = written(tmp_path / "bad", [{"step": 1, "reward": 1}, {"step": 2, "reward": float("nan")}])
    done = run("curves", dars, bad, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert f"no curves: {bad}/history.jsonl:2: /reward: not a finite number" in done.stderr
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("arguments", [["missing"], ["."], ["dars", "dars/history.jsonl"], []])
def test_runs_that_cannot_be_read_are_wrong_usage(dars: Path, arguments: list[str]) -> None:
    done = run("curves", *arguments, cwd=dars.parent)
    assert (done.returncode, done.stdout) == (WRONG_USAGE, "")
    assert not re.search("Traceback", done.stderr)


def test_a_history_is_never_written_over(dars: Path) -> None:
    before = (dars / "history.jsonl").read_bytes()
    done = run("curves", dars, "--json", dars / "history.jsonl")
    assert (done.returncode, "is the file being read" in " ".join(done.stderr.split())) == (WRONG_USAGE, True)
    assert (dars / "history.jsonl").read_bytes() == before


def test_no_two_outputs_share_a_file(dars: Path, tmp_path: Path) -> None:
    done = run("curves", dars, "--png", tmp_path / "out", "--report", tmp_path / "out")
    assert done.returncode == WRONG_USAGE


@pytest.mark.parametrize("confidence", [0, 1, "nan"])
def test_a_confidence_is_between_0_and_1(dars: Path, confidence: object) -> None:
    assert run("curves", dars, "--confidence", confidence).returncode == WRONG_USAGE


def test_nothing_in_a_history_can_steer_the_terminal(tmp_path: Path) -> None:
    rows = [{"step": 1, "reward": 1, "term_\x1b[2J[bold]": 1, "\x1b]0;owned\x07": 2}]
    done = run("curves", written(tmp_path / "a\x1b[2J[bold]", rows))
    assert done.returncode == 0
    assert "[bold]" in done.stdout
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr)


def test_an_evaluation_shows_the_training_too(dars: Path, binary: Path, tmp_path: Path) -> None:
    rollouts = tmp_path / "rollouts.jsonl"
    rollouts.write_bytes(content(SHOPPERS))
    outputs = ("--json", tmp_path / "o.json", "--report", tmp_path / "o.html", "--markdown", tmp_path / "o.md")
    done = run("evaluate", rollouts, *FEW, "--history", dars, "--history", binary / "history.jsonl", *outputs)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the optimised reward rose by 0.9153" in " ".join(done.stdout.split())
    found = Evaluation.model_validate_json((tmp_path / "o.json").read_bytes())
    assert found.training is not None
    assert [each.name for each in found.training.runs] == ["dars", "binary"]
    assert 'id="training"' in (tmp_path / "o.html").read_text(encoding="utf-8")
    assert "## Training" in (tmp_path / "o.md").read_text(encoding="utf-8")
    assert (tmp_path / "o-plots" / "training-predicted.svg").is_file()


def test_a_history_that_cannot_be_used_stops_an_evaluation_before_it_starts(tmp_path: Path) -> None:
    rollouts = tmp_path / "rollouts.jsonl"
    rollouts.write_bytes(content(SHOPPERS))
    done = run("evaluate", rollouts, "--history", written(tmp_path / "bad", [{"step": 1, "reward": "high"}]))
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert "/reward: a text; a metric is a number" in done.stderr


def test_a_published_table_has_no_history(dars: Path) -> None:
    table = Path(__file__).parents[3] / "examples" / "table3.csv"
    assert run("evaluate", "--table", table, "--history", dars).returncode == WRONG_USAGE
