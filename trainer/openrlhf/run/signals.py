"""Being told to stop, however one is told, so that what must be cleaned up is."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, which a shell's background jobs inherit as ignored; a scheduler's or `kill`'s; a terminal that went away."""


class Interrupted(KeyboardInterrupt):
    """One of the signals came; its name."""


@contextmanager
def stopping_signals() -> Iterator[None]:
    """Raise Interrupted in the main thread at the first signal that means stop; later ones do not disturb the end."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for sign in _STOPPING:
            signal.signal(sign, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    before = {sign: signal.signal(sign, stop) for sign in _STOPPING}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
