"""How much memory a server's processes have together, watched while a trial runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psutil

from tests.chaos.outcome import Outcome


@contextmanager
def watched(outcome: Outcome, pid: int) -> Iterator[None]:
    """Note the peak of a process and those that it has started."""
    is_over = Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            outcome.peak_mib = max(outcome.peak_mib, resident(pid) / 2**20)

    watching = Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()


def resident(pid: int) -> int:
    """Bytes of a process and those that it has started; 0 once it is gone."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        for process in (server, *server.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total
