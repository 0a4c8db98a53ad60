"""What a person is told at the end of a run, and what the shell is."""

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.openrlhf.run.command import Command
from trainer.openrlhf.run.folder import RunFolder
from trainer.openrlhf.run.launch import Course, launch
from trainer.openrlhf.run.lock import locked

LOGGED = "INFO 11-21 11:02:26 ppo_trainer.py:"
STEP = LOGGED + "224] Sample: ['', 0.5]\n" + LOGGED + "551] ✨ Global step {}: {{'reward': 0.5}}"
SAVES = "import sys, pathlib; model = pathlib.Path(sys.argv[1]); model.mkdir(); (model / 'model.safetensors').touch()\n"


def status(
    tmp_path: Path,
    program: str,
    *,
    steps: int = 1,
    resumed: bool = False,
    stop: list[str] | None = None,
    stall_minutes: float = 1.0,
    leads: bool = True,
) -> int:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    command = Command([[sys.executable, "-c", program, str(folder.model)]], {}, stop=stop or [])
    with locked(folder.path) as lock:
        return launch(command, folder, lock, Course("grpo", steps, 1, resumed, stall_minutes, leads))


def test_a_run_that_went_well_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(tmp_path, SAVES + f"print({STEP.format(1)!r})") == 0
    assert capsys.readouterr().err == "step 1 of 1  reward 0.5\n"


def test_a_run_without_a_step_failed_though_openrlhf_ended_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(tmp_path, SAVES) == 1
    assert "stopped: OpenRLHF ended without a single step" in capsys.readouterr().err


@pytest.mark.parametrize("program", ["", SAVES.replace("model.safetensors", "training_args.bin")])
def test_a_run_that_saved_no_model_failed(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(tmp_path, program + f"print({STEP.format(1)!r})") == 1
    assert "stopped: OpenRLHF ended without an error, and without a model in" in capsys.readouterr().err


def test_an_adapter_is_all_that_a_run_with_lora_saves(tmp_path: Path) -> None:
    assert status(tmp_path, SAVES.replace("model.safetensors", "adapter_model.bin") + f"print({STEP.format(1)!r})") == 0


def test_a_finished_run_may_be_resumed_though_nothing_is_left_to_do(tmp_path: Path) -> None:
    assert status(tmp_path, SAVES, resumed=True) == 0


def test_steps_that_were_planned_and_not_done_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(tmp_path, SAVES + f"print({STEP.format(1)!r})", steps=4) == 0
    assert "note: 1 of 4 steps were done" in capsys.readouterr().err


def test_a_job_on_a_cluster_is_stopped_when_its_run_fails(tmp_path: Path) -> None:
    stop = [sys.executable, "-c", "import sys, pathlib; pathlib.Path(sys.argv[1]).touch()", str(tmp_path / "stopped")]
    assert status(tmp_path, "raise SystemExit(1)", stop=stop) == 1
    assert (tmp_path / "stopped").exists()


@pytest.mark.parametrize("program", ["import time; time.sleep(600)", "raise SystemExit('no cluster there')", None])
def test_a_job_that_cannot_be_stopped_is_told_after_the_reason_with_what_to_run(
    program: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trainer.openrlhf.run.launch._STOP_SECONDS", 0.5)
    stop = [sys.executable, "-c", program] if program else [str(tmp_path / "ray"), "job", "stop", "run-1"]
    assert status(tmp_path, "raise SystemExit(1)", stop=stop) == 1
    reason, by_hand = capsys.readouterr().err.splitlines()
    assert reason.startswith("stopped: OpenRLHF ended with status 1")
    assert by_hand == f"the job may go on: end it with `{shlex.join(stop)}`"


def test_a_job_that_ended_by_itself_is_left_alone(tmp_path: Path) -> None:
    stop = [sys.executable, "-c", "import sys, pathlib; pathlib.Path(sys.argv[1]).touch()", str(tmp_path / "stopped")]
    assert status(tmp_path, SAVES + f"print({STEP.format(1)!r})", stop=stop) == 0
    assert not (tmp_path / "stopped").exists()


def test_a_node_that_does_not_lead_is_silent_and_saves_no_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(tmp_path, "import time; time.sleep(1.5)", stall_minutes=0.01, leads=False) == 0
    assert capsys.readouterr().err == ""


def test_a_node_that_does_not_lead_fails_as_its_process_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(tmp_path, "raise ValueError('no')", leads=False) == 1
    assert "ValueError: no" in capsys.readouterr().err


def test_one_that_is_told_to_stop_says_how_to_go_on(tmp_path: Path) -> None:
    trainer = "import time; print('begun', flush=True); time.sleep(600)"
    program = (
        "import sys; from pathlib import Path; from trainer.openrlhf.run.command import Command\n"
        "from trainer.openrlhf.run.folder import RunFolder; from trainer.openrlhf.run.launch import Course, launch\n"
        "from trainer.openrlhf.run.lock import locked\n"
        "folder = RunFolder(Path(sys.argv[1])); folder.path.mkdir()\n"
        "with locked(folder.path) as lock:\n"
        f"    command = Command([[sys.executable, '-c', {trainer!r}]], {{}})\n"
        "    sys.exit(launch(command, folder, lock, Course('grpo', 1, 1, False, 1)))"
    )
    run = tmp_path / "run"
    argv = [sys.executable, "-c", program, str(run)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        while not (run / "log.txt").exists() or not (run / "log.txt").read_text():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == f"interrupted by SIGTERM: there was no checkpoint yet in {run}: start anew with --overwrite\n"
