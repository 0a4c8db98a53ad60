"""What a process of a server knows of the one that started it."""

from collections.abc import Callable
from multiprocessing import parent_process
from threading import Thread


def when_parent_ends(act: Callable[[], object]) -> None:
    """Call `act`, in a thread, once the process that started this one is gone, however it went."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        act()

    Thread(target=watch, daemon=True).start()
