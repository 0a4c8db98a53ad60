"""How much memory a process and all that it starts take at most."""

from threading import Event, Thread
from types import TracebackType
from typing import Self

import psutil

_EVERY_SECONDS = 5.0
"""Looking costs the kernel a tenth of a second per gigabyte."""


class PeakMemory:
    """Looks every few seconds, for as long as the block runs; what comes and goes in between is missed."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        """The most seen: the sum over processes, pages that several share counted in parts (Linux's PSS)."""
        self._pid = pid
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            self.bytes = max(self.bytes, memory_of(self._pid))


def memory_of(pid: int) -> int:
    """Bytes that a process and its descendants take now; 0 for one that is gone."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_own, family))


def _own(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.uss))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
