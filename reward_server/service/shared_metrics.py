"""One set of metrics for all processes of a server: each writes files in one folder, and whoever is scraped adds up.

`shared_metrics` has to begin before the rest of the service is imported: prometheus_client looks for its folder then.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reward_server.scoring import ConfigurationError

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's."""

_MEMORY = "/dev/shm"  # noqa: S108
"""Better than a disk, which may be full one day, or read-only: the files are mapped into memory, and a page of them
that there is no room for ends the process."""
_ROOM = 32 * 2**20
"""Bytes: several times what the files of a server of a few processes take."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Have this process and those that it starts share their metrics.

    Raises ConfigurationError where no file can be written.
    """
    where = _MEMORY if _has_room(_MEMORY) else None
    try:
        made = TemporaryDirectory(prefix="shop-r1-metrics-", dir=where, ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigurationError(f"metrics need a folder for temporary files, TMPDIR or /dev/shm: {error}") from None
    with made as folder:
        assert "prometheus_client" not in sys.modules
        os.environ[_VARIABLE] = folder
        yield


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
