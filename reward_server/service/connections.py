"""Connections that hold nothing for ever: requests arrive in time, answers are taken, and peers are there.

Nor do they hold much: httptools puts no bound on a request's head, nor on what else may stand around a chunked body.
"""

import asyncio
import socket
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reward_server.service.problems import MEDIA_TYPE, Problem

_MOST_HEAD_BYTES = 64 * 2**10
"""Of a request's first line and headers. What arrives in one piece with their end, up to 256 KiB, is not counted."""

_MOST_MILLISECONDS = 2**31 - 1
"""That the system takes for a time."""

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
    _is_in_head = False
    _fruitless = 0
    """Bytes that have come since the last that made a head whole, or were of a body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer: socket.socket | None = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            _do_not_wait_for_ever(peer, self.seconds)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._fruitless += len(data)
        super().data_received(data)
        if self._fruitless > _MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._fruitless = True, 0
        self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Not what follows a chunked body: nobody looks for it there.
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head, self._fruitless = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._fruitless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._fruitless = 0
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        # What is left of a body that nobody reads has to come in time as well. One that others follow is here.
        if self.cycle.more_body and not self.pipeline:
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

    def _refuse(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # It would be taken for the answer that is still to come.
            self.transport.abort()
            return
        fault = ("", f"the first line and headers are over {_MOST_HEAD_BYTES:,} bytes")
        problem = Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", [fault])
        body = bytes(problem.response().body)
        head = f"HTTP/1.1 431 {problem.status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.transport.close()


def _do_not_wait_for_ever(peer: socket.socket, seconds: float) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Linux alone has all of these.
    options: Any = socket
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_USER_TIMEOUT, min(int(seconds * 1_000), _MOST_MILLISECONDS))
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_KEEPIDLE, _PROBE_SECONDS)
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_KEEPINTVL, _PROBE_SECONDS // 4)
