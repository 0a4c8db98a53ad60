"""Runs the service under uvicorn: a banner once it listens, and a shutdown that finishes what it has begun."""

import asyncio
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import ceil
from multiprocessing.synchronize import Event
from shutil import rmtree

import uvicorn

from reward_server.certainty.source import SourceError
from reward_server.scoring import ConfigurationError
from reward_server.service.app import create_app
from reward_server.service.auth import KeyRing
from reward_server.service.connections import timed_connections
from reward_server.service.garbage import look_less
from reward_server.service.inner import serve_large_batches
from reward_server.service.large import LargeBatches
from reward_server.service.processes import when_parent_ends
from reward_server.service.shared_metrics import shared_folder
from reward_server.service.state import ServerState, Specs, create_state, read_specs
from reward_server.service.supervisor import STOP, Supervisor
from reward_server.service.tls import server_context
from reward_server.settings import Settings

_log = logging.getLogger("uvicorn.error")

_BACKLOG = 2_048
"""Connections that the system keeps for us until we accept them."""
_IDLE_SECONDS = 3_660
"""For which a connection is kept. Clients must be the ones to close it, or a request may cross with that; gateways made
of Envoy do so after an hour."""


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status: 0 after a clean shutdown, 1 if it could not listen.

    Raises SpecError, ConfigurationError or SourceError when the server cannot serve what it was told to.
    """
    # A log that cannot be written is no reason to write about that to the same full disk.
    logging.raiseExceptions = False
    _allow_many_connections()
    tls = server_context(settings)
    specs = read_specs(settings)
    if settings.workers == 1:
        return _run(_create_state(settings, specs), tls)
    KeyRing(settings)  # each process has its own; here what is wrong with the file is told once
    try:
        listening = socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=_BACKLOG,
        )
    except OSError as error:
        return _tell_not_listening(settings, error)
    with listening:
        return Supervisor(settings, listening, partial(_work, specs)).run()


def _work(specs: Specs, settings: Settings, listening: socket.socket, is_up: Event, has_banner: bool) -> None:
    """One process of several."""
    for signum in (signal.SIGTERM, signal.SIGINT):  # which the supervisor hears, and passes on
        signal.signal(signum, signal.SIG_IGN)
    when_parent_ends(partial(os.kill, os.getpid(), STOP))
    try:
        tls = server_context(settings)
        state = _create_state(settings, specs)
    except (ConfigurationError, SourceError) as error:
        sys.stderr.write(f"ERROR: {error}\n")
        sys.exit(2)
    sys.exit(_run(state, tls, [listening], is_up, has_banner=has_banner))


def _create_state(settings: Settings, specs: Specs) -> ServerState:
    # A model in this process is not loaded a second time.
    is_alone = settings.certainty == "local"
    large = None if is_alone else LargeBatches(settings, partial(serve_large_batches, specs))
    return create_state(settings, specs, large)


def _run(
    state: ServerState,
    tls: ssl.SSLContext | None,
    sockets: list[socket.socket] | None = None,
    is_up: Event | None = None,
    *,
    has_banner: bool = True,
) -> int:
    settings = state.settings
    config = uvicorn.Config(
        create_app(state),
        host=settings.host,
        port=settings.port,
        http=timed_connections(settings.request_seconds),
        ws="none",
        log_level=settings.log_level,
        access_log=settings.log_level in ("info", "debug"),
        server_header=False,
        # Who asks, and by which scheme, is for the log alone.
        proxy_headers=settings.log_level in ("info", "debug"),
        backlog=_BACKLOG,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=ceil(settings.shutdown_seconds),
    )
    config.load()
    config.ssl = tls
    server = _Server(config, state, is_up, has_banner=has_banner)
    try:
        server.run(sockets)
    except SystemExit as ended:
        # uvicorn has logged why, but not what follows from which setting.
        return _tell_not_listening(settings, ended.__context__)
    finally:
        if state.large is not None:
            state.large.kill()
    return 0


def _tell_not_listening(settings: Settings, reason: BaseException | None) -> int:
    where = f"host {settings.host} (REWARD_HOST), port {settings.port} (REWARD_PORT)"
    sys.stderr.write(f"ERROR: cannot listen on {where}: {reason}\n")
    return 1


def _allow_many_connections() -> None:
    """As many open files as the system lets us have: OpenRLHF opens a connection for every rollout in flight."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS says "unlimited", and allows less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Server(uvicorn.Server):
    """uvicorn, but each signal ends one wait, and none is raised again at the end.

    The first begins to drain, the second ends that, the third leaves requests in flight with a 503. A wait that is
    over, or that the settings do without, takes no signal to end.
    """

    def __init__(self, config: uvicorn.Config, state: ServerState, is_up: Event | None, *, has_banner: bool) -> None:
        super().__init__(config)
        self.state = state
        self.is_up = is_up
        self.has_banner = has_banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        look_less()
        if self.started and self.has_banner:
            # Imported here, because of several processes one has a banner.
            from reward_server.service.banner import print_banner

            port = self.servers[0].sockets[0].getsockname()[1]
            with suppress(OSError):  # a full disk, or nobody there to read it
                print_banner(self.state, port)
        if self.started and self.is_up is not None:
            self.is_up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()
            if self.is_up is None and (folder := shared_folder()) is not None:
                rmtree(folder, ignore_errors=True)
            # Python would wait for threads that still score what nobody reads.
            os._exit(0)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        is_one_of_several = self.is_up is not None
        heard = (STOP,) if is_one_of_several else (signal.SIGINT, signal.SIGTERM)
        for signum in heard:
            loop.add_signal_handler(signum, self._end_a_wait)
        try:
            yield
        finally:
            for signum in heard:
                loop.remove_signal_handler(signum)
                # All is done: one more signal must not make the process look killed.
                signal.signal(signum, signal.SIG_IGN)

    def _end_a_wait(self) -> None:
        if not self.state.draining:
            self.state.draining = True
            asyncio.get_running_loop().call_later(self.state.settings.drain_seconds, self._stop)
        elif not self.should_exit:
            self._stop()
        elif not self.force_exit:
            self._cut_off()

    def _stop(self) -> None:
        self.should_exit = True

    def _cut_off(self) -> None:
        self.force_exit = True
        _log.warning("Told to stop at once; requests in flight that get a 503: %d", len(self.server_state.tasks))
        for task in self.server_state.tasks:
            task.cancel()
