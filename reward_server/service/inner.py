"""What the process for large batches does: the same service, for the process that started it alone."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn

from reward_server.service.app import create_app
from reward_server.service.garbage import Tidy
from reward_server.service.processes import when_parent_ends
from reward_server.service.state import Specs, create_state
from reward_server.settings import Settings

_IDLE_SECONDS = 3_660
"""For which a connection is kept; the process that opened it closes it much sooner."""


def serve_large_batches(specs: Specs, settings: Settings, listening: socket.socket) -> None:
    """Serve until killed, or until the process that started this one is gone."""
    # Both may go to all processes of a server at once, and what has begun is to be finished.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    when_parent_ends(partial(os._exit, 0))
    # The other side closes what is idle: a request could cross with an end from here.
    app = Tidy(create_app(create_state(settings, specs, is_inner=True)))
    config = uvicorn.Config(app, log_level=settings.log_level, access_log=False, timeout_keep_alive=_IDLE_SECONDS)
    _Server(config).run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn, but signals are for the process that started this one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
