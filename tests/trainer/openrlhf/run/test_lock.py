"""Two runs never share a folder."""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.run.lock import locked


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(FolderError, match="belongs to a run that still goes on"):
        locked(tmp_path / "run").__enter__()
    with locked(tmp_path / "run"):
        pass


def test_a_lock_that_goes_in_the_moment_it_is_taken_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, earlier = fcntl.flock, ExitStack()
    earlier.enter_context(locked(tmp_path / "run"))

    def flock_once_the_earlier_run_is_over(descriptor: int, operation: int) -> None:
        earlier.close()
        flock(descriptor, operation)

    monkeypatch.setattr("fcntl.flock", flock_once_the_earlier_run_is_over)
    with locked(tmp_path / "run"), pytest.raises(FolderError, match="still goes on"), locked(tmp_path / "run"):
        pass


def test_other_folders_are_free(tmp_path: Path) -> None:
    with locked(tmp_path / "run"), locked(tmp_path / "other"):
        pass


def test_a_trainer_that_outlives_its_launcher_still_has_the_folder(tmp_path: Path) -> None:
    trainer = "import time; time.sleep(600)"
    launcher = (
        "import os, signal, subprocess, sys; from pathlib import Path; from trainer.openrlhf.run.lock import locked\n"
        "with locked(Path(sys.argv[1])) as lock:\n"
        f"    trainer = subprocess.Popen([sys.executable, '-c', {trainer!r}], pass_fds=[lock])\n"
        "    print(trainer.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    argv = [sys.executable, "-c", launcher, str(tmp_path / "run")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.wait()
        with pytest.raises(FolderError), locked(tmp_path / "run"):
            pass
        os.kill(pid, signal.SIGKILL)
        process.stdout.read()  # ends when the trainer does
    with locked(tmp_path / "run"):
        pass


def test_nothing_is_left_of_a_run_that_did_not_start(tmp_path: Path) -> None:
    with locked(tmp_path / "runs" / "today" / "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_folders_of_a_run_stay(tmp_path: Path) -> None:
    with locked(tmp_path / "runs" / "run"):
        (tmp_path / "runs" / "run").mkdir()
    assert list(tmp_path.rglob("*")) == [tmp_path / "runs", tmp_path / "runs" / "run"]


def test_a_lock_that_lies_there_from_before_is_none(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").touch()
    with locked(tmp_path / "run"):
        pass


def test_a_place_where_no_folder_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=f"{tmp_path}/file"), locked(tmp_path / "file" / "run"):
        pass
    assert os.listdir(tmp_path) == ["file"]
