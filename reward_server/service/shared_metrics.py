"""One set of metrics for all processes of a server: each writes files in one folder, and whoever is scraped adds up.

`shared_metrics` has to begin before the rest of the service is imported: prometheus_client looks for its folder then.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir
from time import time

from reward_server.scoring import ConfigurationError

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's."""

_MEMORY = "/dev/shm"  # noqa: S108
"""Better than a disk, which may be full one day, or read-only: the files are mapped into memory, and a page of them
that there is no room for ends the process."""
_ROOM = 32 * 2**20
"""Bytes: several times what the files of a server of a few processes take."""
_PREFIX = "shop-r1-metrics-"
_LOCK = "lock"
"""The file that a server keeps locked for as long as it lives: SIGKILL leaves the folder, and frees the lock."""
_NEW_SECONDS = 60.0
"""For which a folder may be one whose server has not locked it yet."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Have this process and those that it starts share their metrics.

    Raises ConfigurationError where no file can be written.
    """
    with ExitStack() as stack:
        try:
            where = _MEMORY if _has_room(_MEMORY) else gettempdir()
            made = TemporaryDirectory(prefix=_PREFIX, dir=where, ignore_cleanup_errors=True)
            folder = stack.enter_context(made)
            lock = stack.enter_context(open(Path(folder, _LOCK), "w"))
            flock(lock, LOCK_EX)
        except OSError as error:
            message = f"metrics need a folder for temporary files, TMPDIR or /dev/shm: {error}"
            raise ConfigurationError(message) from None
        _remove_left_behind(Path(where))
        assert "prometheus_client" not in sys.modules
        os.environ[_VARIABLE] = folder
        yield


def _remove_left_behind(where: Path) -> None:
    """Remove the folders of servers that were killed, and of no other user's."""
    for folder in where.glob(f"{_PREFIX}*"):
        # Nor is one removed that another server removes just now.
        with suppress(OSError):
            found = folder.lstat()
            if found.st_uid != os.geteuid() or time() - found.st_mtime < _NEW_SECONDS:
                continue
            with open(folder / _LOCK, "r+") as lock:
                flock(lock, LOCK_EX | LOCK_NB)
                rmtree(folder)


def _has_room(folder: str) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK) and found.f_bavail * found.f_frsize >= _ROOM


def shared_folder() -> Path | None:
    """Where the processes of this server write their metrics; None where it is one process that keeps its own."""
    folder = os.environ.get(_VARIABLE)
    return None if folder is None else Path(folder)
