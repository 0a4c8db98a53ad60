"""Several server processes on one socket: the first alone until it is up, then all; replaced when they die.

uvicorn's own supervisor runs none but plain uvicorn servers, and ours drain.
"""

import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from time import sleep

from reward_server.service.exposition import forget_ended_processes
from reward_server.settings import Settings

_PAUSE = 1.0
"""Seconds before a process that died is replaced, lest one that cannot start is started all the time."""

_log = logging.getLogger("uvicorn.error")

STOP = signal.SIGUSR1
"""What stops a process: SIGTERM often goes to all of a server's processes at once, and each would hear it twice."""

Target = Callable[[Settings, socket.socket, Event, bool], None]
"""Serves on a socket until `STOP`, and sets the event once it does; the flag is for who prints the banner."""


class Supervisor:
    """`settings.workers` processes."""

    def __init__(self, settings: Settings, listening: socket.socket, target: Target) -> None:
        self._settings = settings
        self._listening = listening
        self._target = target
        self._processes: dict[SpawnProcess, Event] = {}
        """Each with its event, which is gone as soon as nobody here holds it."""
        self._stopping = False

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT, which all processes get; the exit status of one that ended badly, or 0."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: self._stop())
        first, is_up = self._start(has_banner=True)
        while first.is_alive() and not is_up.wait(0.05):
            continue
        if not is_up.is_set():
            return self._part(first) if self._stopping else max(first.exitcode or 0, 1)
        for _ in range(1, self._settings.workers):
            self._start()
        status = 0
        while self._processes:
            wait([process.sentinel for process in self._processes])
            for process in [process for process in self._processes if not process.is_alive()]:
                status = self._part(process) or status
        return status

    def _start(self, *, has_banner: bool = False) -> tuple[SpawnProcess, Event]:
        context = get_context("spawn")
        is_up = context.Event()
        process = context.Process(target=self._target, args=(self._settings, self._listening, is_up, has_banner))
        process.start()
        self._processes[process] = is_up
        if self._stopping:
            _stop(process)
        return process, is_up

    def _part(self, process: SpawnProcess) -> int:
        """Replace a process that has ended, unless all are to end; the status it leaves to the server."""
        del self._processes[process]
        if self._stopping:
            return 1 if process.exitcode not in (0, -STOP, -signal.SIGTERM) else 0
        _log.error("process %d ended with status %s; another takes its place", process.pid, process.exitcode)
        sleep(_PAUSE)
        forget_ended_processes()
        self._start()
        return 0

    def _stop(self) -> None:
        self._stopping = True
        for process in self._processes:
            _stop(process)


def _stop(process: SpawnProcess) -> None:
    assert process.pid is not None
    with suppress(ProcessLookupError):
        os.kill(process.pid, STOP)
