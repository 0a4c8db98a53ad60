"""A trainer is run and watched. Programs that misbehave as OpenRLHF can stand in for it here; see tests/e2e for it."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from reward_server.client import RewardError, SpecMismatch
from trainer.openrlhf.run.history import HistoryFile
from trainer.openrlhf.run.log_lines import StepMetrics
from trainer.openrlhf.run.process import TrainingError, run_training

LOGGED = "(PPOTrainer pid=7) INFO 11-21 11:02:26 ppo_trainer.py:"
ALONE = LOGGED + "551] ✨ Global step {}: {{'reward': {}, 'policy_loss': {}}}"
STEP = LOGGED + "224] Sample: ['', 0.5]\n" + ALONE
"""As OpenRLHF logs it, after a sample."""


def run(tmp_path: Path, program: str, *, stall_seconds: float = 60, **environment: str) -> list[StepMetrics]:
    seen: list[StepMetrics] = []
    history = HistoryFile(tmp_path / "history.jsonl")
    argv = [sys.executable, "-c", program]
    run_training(argv, environment, tmp_path / "log.txt", history, stall_seconds=stall_seconds, on_step=seen.append)
    return seen


def still_runs(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_steps_are_shown_and_kept_and_so_is_all_output(tmp_path: Path) -> None:
    program = f"import sys; print({STEP.format(1, 0.5, 0.1)!r}); print({STEP.format(2, 0.7, 0.1)!r}, file=sys.stderr)"
    assert [step.metrics["reward"] for step in run(tmp_path, program)] == [0.5, 0.7]
    assert (tmp_path / "history.jsonl").read_text().count("\n") == 2
    printed = [*STEP.format(1, 0.5, 0.1).splitlines(), *STEP.format(2, 0.7, 0.1).splitlines()]
    assert sorted((tmp_path / "log.txt").read_text().splitlines()) == sorted(printed)


def test_the_environment_is_added(tmp_path: Path) -> None:
    program = "import os; print(os.environ['PATH'] != '', os.environ['SHOP_R1_RUN'])"
    run(tmp_path, program, SHOP_R1_RUN="a-run")
    assert (tmp_path / "log.txt").read_text() == "True a-run\n"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_metric_that_is_no_finite_number_ends_the_run_though_the_trainer_would_go_on(
    tmp_path: Path, value: str
) -> None:
    program = f"import time; print({STEP.format(1, 0.5, value)!r}, flush=True); time.sleep(600)"
    with pytest.raises(TrainingError, match="step 1: policy_loss became no finite number"):
        run(tmp_path, program)
    assert not (tmp_path / "history.jsonl").exists()


def test_a_trainer_that_waits_for_ever_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"printed nothing for 0\.01 minutes"):
        run(tmp_path, "import time; print('begun', flush=True); time.sleep(600)", stall_seconds=0.6)


@pytest.mark.parametrize("error", [RewardError, *RewardError.__subclasses__(), SpecMismatch])
def test_a_reward_that_could_not_be_had_is_named_before_all_that_it_brought_down(
    tmp_path: Path, error: type[RewardError]
) -> None:
    program = (
        f"print('{error.__module__}.{error.__name__}: http://host:1 gave no rewards');"
        "print('ray.exceptions.ActorDiedError: The actor died'); raise SystemExit(3)"
    )
    with pytest.raises(TrainingError, match=f"ended with status 3: {error.__name__}: http://host:1 gave no rewards"):
        run(tmp_path, program)


def test_another_failure_is_told_by_its_last_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="ended with status 1: ValueError: no such thing"):
        run(tmp_path, "raise ValueError('no such thing')")


def test_a_failure_without_a_word_points_to_the_log(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"ended with status 4: see the end of .*log\.txt"):
        run(tmp_path, "raise SystemExit(4)")


def test_a_run_that_was_killed_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="ended with status -9"):
        run(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_no_process_is_left_when_a_run_is_stopped(tmp_path: Path) -> None:
    child = "import time; time.sleep(600)"
    program = (
        f"import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        f"print(child.pid, flush=True); print({STEP.format(1, 0.5, 'nan')!r}, flush=True); time.sleep(600)"
    )
    with pytest.raises(TrainingError):
        run(tmp_path, program)
    pid = int((tmp_path / "log.txt").read_text().split()[0])
    for _ in range(600):
        if not still_runs(pid):
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the child of a stopped trainer still runs")


def test_a_trainer_that_does_not_listen_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.openrlhf.run.process._GRACE_SECONDS", 0.5)
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"print({STEP.format(1, 0.5, 'nan')!r}, flush=True); time.sleep(600)"
    )
    with pytest.raises(TrainingError, match="no finite number"):
        run(tmp_path, program)


def test_what_the_trainers_group_left_behind_is_ended_though_its_leader_is_gone(tmp_path: Path) -> None:
    child = "import time; time.sleep(600)"
    program = (
        f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        "print(child.pid, flush=True); raise SystemExit(3)"
    )
    with pytest.raises(TrainingError, match="status 3"):
        run(tmp_path, program)
    assert not still_runs(int((tmp_path / "log.txt").read_text().split()[0]))


def test_a_process_that_prints_on_after_the_trainer_does_not_hold_the_launcher_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.openrlhf.run.process._DRAIN_SECONDS", 0.5)
    child = "import time\nwhile True: print('still here', flush=True); time.sleep(0.1)"
    program = (
        f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True);"
        "print('child', child.pid, flush=True)"
    )
    run(tmp_path, program)
    pid = int((tmp_path / "log.txt").read_text().split("child ")[1].split()[0])
    assert still_runs(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_launcher_that_is_killed_takes_the_trainer_with_it(tmp_path: Path, sign: signal.Signals) -> None:
    trainer = "import time, os; print(os.getpid(), flush=True); time.sleep(600)"
    launcher = (
        "import sys; from pathlib import Path; from trainer.openrlhf.run.history import HistoryFile\n"
        "from trainer.openrlhf.run.process import run_training\n"
        "from trainer.openrlhf.run.signals import stopping_signals\n"
        "folder = Path(sys.argv[1])\n"
        "with stopping_signals():\n"
        f"    argv, history = [sys.executable, '-c', {trainer!r}], HistoryFile(folder / 'h')\n"
        "    run_training(argv, {}, folder / 'log.txt', history, stall_seconds=60)"
    )
    process = subprocess.Popen([sys.executable, "-c", launcher, str(tmp_path)], stderr=subprocess.DEVNULL)
    log = tmp_path / "log.txt"
    while not log.exists() or not log.read_text().endswith("\n"):
        time.sleep(0.05)
    process.send_signal(sign)
    process.wait()
    pid = int(log.read_text())
    for _ in range(1200):
        if not still_runs(pid):
            return
        time.sleep(0.05)
    pytest.fail("the trainer goes on without its launcher")


def test_what_a_page_or_a_model_wrote_is_no_step_and_no_error(tmp_path: Path) -> None:
    sample = '(PPOTrainer pid=7) INFO 11-21 11:02:26 ppo_trainer.py:224] Sample: ["{}", 0.5]'
    written = [
        sample.format(text) for text in (ALONE.format(9, 0.5, "nan"), "ValueError: made up", ALONE.format(1, 1, 1))
    ]
    program = f"for line in {written!r}: print(line)\nprint({ALONE.format(1, 0.5, 0.1)!r})\nraise SystemExit(2)"
    with pytest.raises(TrainingError, match="ended with status 2: see the end of"):
        run(tmp_path, program)
    assert (tmp_path / "history.jsonl").read_text() == '{"step":1,"reward":0.5,"policy_loss":0.1}\n'


def test_daemons_of_ray_are_no_sign_of_life(tmp_path: Path) -> None:
    line = "\x1b[33m(raylet)\x1b[0m /tmp is over 95% full"
    program = f"import time\nwhile True: print({line!r}, flush=True); time.sleep(0.1)"
    with pytest.raises(TrainingError, match="printed nothing for"):
        run(tmp_path, program, stall_seconds=0.6)


def test_output_without_an_end_of_line_is_kept_and_does_not_grow_in_memory(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        run(tmp_path, "import sys; [sys.stdout.write('x' * 2**20) for _ in range(24)]")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "log.txt").stat().st_size == 24 * 2**20
    assert peak < 8 * 2**20


def test_how_many_steps_were_done_is_told(tmp_path: Path) -> None:
    program = f"print({STEP.format(1, 0.5, 0.1)!r}); print({STEP.format(2, 0.5, 0.1)!r})"
    argv = [sys.executable, "-c", program]
    assert run_training(argv, {}, tmp_path / "log", HistoryFile(tmp_path / "h"), stall_seconds=60) == 2


def test_a_process_that_outlives_the_trainer_does_not_hold_the_launcher_up(tmp_path: Path) -> None:
    child = "import time; time.sleep(600)"
    program = (
        f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True);"
        "print(child.pid, flush=True)"
    )
    run(tmp_path, program)
    os.kill(int((tmp_path / "log.txt").read_text().split()[0]), signal.SIGKILL)
