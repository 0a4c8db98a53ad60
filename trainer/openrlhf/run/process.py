"""Runs OpenRLHF, and watches it: its output is kept, its steps are told, and a run that cannot end well is ended."""

import ctypes
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import IO

from trainer.openrlhf.run.history import HistoryFile
from trainer.openrlhf.run.log_lines import StepMetrics, StepReader, is_sample

_GRACE_SECONDS = 30.0
"""How long a trainer may take to end when it is told to."""
_DRAIN_SECONDS = 5.0
"""How long its processes may print on after it has ended."""
_LOOK_SECONDS = 1.0
_LONGEST_LINE = 2**20
_NO_LIFE = re.compile(r"(?:\x1b\[[0-9;]*m)*\((?:raylet|autoscaler)\b")
"""Daemons of Ray that print on when the run is dead."""
_LINE_ENDS = re.compile(rb"[\r\n]+")
_ERROR = re.compile(
    r"(?:^|\s|\.)(?P<name>\w*(?:Error|Exception|Refused|Unavailable|Untrusted|Mismatch|BadAnswer)): (?P<reason>.+)"
)
_OUR_ERRORS = ("RewardError", "RewardUnavailable", "RewardRefused", "ServerUntrusted", "SpecMismatch", "BadAnswer")
"""Of `reward_server.client`, as the agent executor raises them."""
_DIE_WITH_PARENT = 1
"""Linux's PR_SET_PDEATHSIG."""
_libc = ctypes.CDLL(None)


class TrainingError(Exception):
    """Why a run ended before its time; one sentence."""


def run_training(
    argv: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    history: HistoryFile,
    *,
    stall_seconds: float,
    reader: StepReader | None = None,
    descriptors: Sequence[int] = (),
    on_step: Callable[[StepMetrics], None] = lambda _: None,
) -> int:
    """Run a command to its end, with `environment` added to this process's; returns how many steps it did.

    Its output goes to the file `log`, and it inherits the `descriptors`. Raises TrainingError when it fails, prints
    nothing for `stall_seconds`, or reports a metric that is no finite number: then the weights are lost, and OpenRLHF
    itself would go on, and exit with 0. None of its process group is left then, nor at the end; only where this process
    is killed with SIGKILL is the leader alone told to end, with SIGTERM.
    """
    reader = reader or StepReader()
    failure = _LastError()
    done = 0

    def handle(steps: Iterator[StepMetrics]) -> None:
        nonlocal done
        for step in steps:
            broken = sorted(name for name, value in step.metrics.items() if not isfinite(value))
            if broken:
                raise TrainingError(
                    f"step {step.step}: {', '.join(broken)} became no finite number: the weights are lost, and so are "
                    "those of any checkpoint since"
                )
            try:
                history.add(step)
            except ValueError as error:
                raise TrainingError(str(error)) from None
            done += 1
            on_step(step)

    with log.open("ab") as kept, _process(argv, environment, descriptors) as process:
        assert process.stdout is not None
        for line in _output(process, process.stdout, kept, stall_seconds):
            failure.read(line)
            handle(reader.read(line))
        handle(reader.rest())
        status = process.wait()
    if status:
        raise TrainingError(f"OpenRLHF ended with status {status}: {failure.text or f'see the end of {log}'}")
    return done


class _LastError:
    """The error that best says what went wrong: one of our own client's, else the last one printed."""

    def __init__(self) -> None:
        self.text = ""
        self._ours = False

    def read(self, line: str) -> None:
        """Look for an error in a line of output."""
        found = None if is_sample(line) else _ERROR.search(line)
        if found is None:
            return
        ours = found["name"] in _OUR_ERRORS
        if ours or not self._ours:
            self.text, self._ours = f"{found['name']}: {found['reason'].strip()}", ours


@contextmanager
def _process(
    argv: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int]
) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process group of its own, which is gone at the end."""
    with subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=descriptors,
        # Nobody can clean up after a launcher that was killed with SIGKILL, but the kernel.
        preexec_fn=lambda: _libc.prctl(_DIE_WITH_PARENT, signal.SIGTERM),
    ) as process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group, the leader dead or not: Ray's processes are in it."""
    for sign, patience in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, _GRACE_SECONDS)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)


def _output(process: subprocess.Popen[bytes], pipe: IO[bytes], kept: IO[bytes], stall_seconds: float) -> Iterator[str]:
    """The lines printed, each written to `kept`. Raises TrainingError when there are none for too long."""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        rest, heard = b"", time.monotonic()
        ended: float | None = None
        while True:
            there = bool(selector.select(_LOOK_SECONDS))
            now = time.monotonic()
            if process.poll() is not None:
                ended = ended or now
                # A process that it left behind may hold the pipe, and print for ever.
                if not there or now - ended > _DRAIN_SECONDS:
                    break
            if there:
                data = os.read(pipe.fileno(), 65_536)
                if not data:
                    break
                kept.write(data)
                kept.flush()
                *whole, rest = _LINE_ENDS.split(rest + data)
                lines = [line.decode(errors="replace") for line in whole]
                if not lines or not all(map(_NO_LIFE.match, lines)):
                    heard = now
                yield from lines
                if len(rest) > _LONGEST_LINE:
                    rest = b""  # no line of interest is so long
            # After what there was to read: a launcher that was itself suspended has it waiting.
            if now - heard > stall_seconds:
                raise TrainingError(
                    f"OpenRLHF printed nothing for {stall_seconds / 60:g} minutes and was stopped; "
                    "a rollout engine that died leaves it waiting for ever"
                )
        if rest:
            yield rest.decode(errors="replace")
