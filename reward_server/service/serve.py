"""Runs the service under uvicorn: a banner once it listens, and a shutdown that finishes what it has begun."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from math import ceil

import uvicorn

from reward_server.service.app import create_app
from reward_server.service.banner import print_banner
from reward_server.service.state import ServerState

_IDLE_SECONDS = 3_660
"""For which a connection is kept. Clients must be the ones to close it, or a request may cross with that; gateways made
of Envoy do so after an hour."""


def serve(state: ServerState) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status: 0 after a clean shutdown, 1 if it could not listen."""
    settings = state.settings
    config = uvicorn.Config(
        create_app(state),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        access_log=settings.log_level in ("info", "debug"),
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=ceil(settings.shutdown_seconds),
    )
    server = _Server(config, state)
    try:
        server.run()
    except SystemExit:
        return 1
    return 0


class _Server(uvicorn.Server):
    """uvicorn, but the first signal starts draining, the second ends that, the third waits for nobody, and none is
    raised again at the end."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self.state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            print_banner(self.state, port)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._drain)
        try:
            yield
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(signum)

    def _drain(self) -> None:
        if self.state.draining:
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        self.state.draining = True
        asyncio.get_running_loop().call_later(self.state.settings.drain_seconds, self._exit)

    def _exit(self) -> None:
        self.should_exit = True
