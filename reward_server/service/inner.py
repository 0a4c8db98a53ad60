"""What the process for large batches does: the same service, for the process that started it alone."""

import gc
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from reward_server.service.app import create_app
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
    app = create_app(create_state(settings, specs, is_inner=True))
    gc.disable()
    gc.freeze()
    tidy = _Tidy(app)
    config = uvicorn.Config(tidy, log_level=settings.log_level, access_log=False, timeout_keep_alive=_IDLE_SECONDS)
    _Server(config).run(sockets=[listening])


class _Tidy:
    """An application that looks for garbage only once it has answered.

    While a large batch is read and scored there is next to none, and to look takes half of the time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            gc.collect()


class _Server(uvicorn.Server):
    """uvicorn, but signals are for the process that started this one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
