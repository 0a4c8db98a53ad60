"""Connections that hold nothing for ever: requests arrive in time, answers are taken, and peers are there."""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_PROBE_SECONDS = 60
"""Of silence, after which a peer is asked whether it is still there; uvicorn would wait for one that is not."""


def timed_connections(seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's connections, closed where a request's head takes longer than `seconds` to come.

    So are those whose answer nobody takes for that long, and those whose peer is gone. The time for a body is the
    application's to measure.
    """
    return type("TimedConnection", (_TimedConnection,), {"seconds": seconds})


class _TimedConnection(HttpToolsProtocol):
    seconds: float
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer: socket.socket | None = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            _do_not_wait_for_ever(peer, self.seconds)
        self._wait()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        # What is left of a body that nobody reads has to come in time as well.
        if self.cycle.more_body:
            self._wait()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(self.seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def _do_not_wait_for_ever(peer: socket.socket, seconds: float) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Linux alone has all of these.
    options: Any = socket
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_USER_TIMEOUT, int(seconds * 1_000))
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_KEEPIDLE, _PROBE_SECONDS)
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_KEEPINTVL, _PROBE_SECONDS // 4)
