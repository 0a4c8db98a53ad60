"""One set of metrics for all processes of a server: each writes files in one folder, and whoever is scraped adds up.

`shared_metrics` has to begin before the rest of the service is imported: prometheus_client looks for its folder then.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Have this process and those that it starts share their metrics. Raises OSError where no file can be written."""
    assert "prometheus_client" not in sys.modules
    with TemporaryDirectory(prefix="shop-r1-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[_VARIABLE] = folder
        yield


def shared_folder() -> Path | None:
    """Where the processes of this server write their metrics; None where it is one process that keeps its own."""
    folder = os.environ.get(_VARIABLE)
    return None if folder is None else Path(folder)
