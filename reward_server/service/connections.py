"""Connections that hold nothing for ever: requests arrive in time, answers are taken, and peers are there.

Nor do they hold much: httptools puts no bound on a request's head, nor on what else may stand around a chunked body.
"""

import asyncio
import socket
from collections.abc import Sized
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from reward_server.service.answers import Answer
from reward_server.service.problems import MEDIA_TYPE, Problem

WHOLE_ANSWER = "shop_r1.whole_answer"
"""In a scope's extensions: a function that sends an `Answer` to a POST, or says that it cannot."""

_MOST_HEAD_BYTES = 64 * 2**10
"""Of a request's first line and headers. What arrives in one piece with their end, up to 256 KiB, is not counted."""

_MOST_AHEAD = 256
"""Requests on one connection before the answer to the first; one read may bring thousands."""

_MOST_MILLISECONDS = 2**31 - 1
"""That the system takes for a time."""

_PROBE_SECONDS = 60
"""Of silence, after which a peer is asked whether it is still there; uvicorn would wait for one that is not."""


def timed_connections(seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's connections, closed where a request's head takes longer than `seconds` to come.

    So are those whose answer nobody takes for that long, and those whose peer is gone. The time for a body is the
    application's to measure.
    """
    return type("TimedConnection", (_TimedConnection,), {"seconds": seconds, "late": _Late(seconds)})


class _Late:
    """Closes connections that wait for longer than `seconds`: one timer for all, since each has the same time.

    Setting one for every request would take a tenth of what uvicorn takes for it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[_TimedConnection, float] = {}
        """The one that has waited longest comes first."""
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, connection: "_TimedConnection") -> None:
        """Let a connection wait, from now on."""
        self._since.pop(connection, None)
        self._since[connection] = connection.loop.time()
        if self._timer is None:
            self._timer = connection.loop.call_later(self._seconds, self._close, connection.loop)

    def end(self, connection: "_TimedConnection") -> None:
        """A connection waits no longer."""
        self._since.pop(connection, None)

    def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._since:
            connection, since = next(iter(self._since.items()))
            if since + self._seconds > loop.time():
                self._timer = loop.call_at(since + self._seconds, self._close, loop)
                return
            del self._since[connection]
            connection.transport.abort()


class _Flow(FlowControl):
    """Reads nothing more while there are requests that wait for the answers to others.

    uvicorn reads on with each answer, and every read brings more of them than there are answers.
    """

    def __init__(self, transport: asyncio.Transport, ahead: Sized) -> None:
        super().__init__(transport)
        self._ahead = ahead

    def resume_reading(self) -> None:
        if not self._ahead:
            super().resume_reading()


class _TimedConnection(HttpToolsProtocol):
    seconds: float
    late: _Late
    _is_at_its_end = False
    """Whether what comes is nobody's: the parser takes a body that follows `Upgrade` for the next request."""
    _fruitless = 0
    """Bytes that have come since the last that made a head whole, or were of a body."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        peer: socket.socket | None = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            _do_not_wait_for_ever(peer, self.seconds)
        self.late.begin(self)

    def data_received(self, data: bytes) -> None:
        if self._is_at_its_end:
            return
        self._fruitless += len(data)
        super().data_received(data)
        if self._fruitless > _MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()
        if len(self.pipeline) > _MOST_AHEAD:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._fruitless = 0
        self.late.begin(self)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not cycle.access_log:
            whole: Any = partial(_send_whole, cycle)
            cycle.scope["extensions"] = {WHOLE_ANSWER: whole}
        super()._start_asgi_task(cycle, app)

    def on_headers_complete(self) -> None:
        self._fruitless = 0
        self.late.end(self)
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self._is_at_its_end = True
            self.cycle.keep_alive = False
        # What follows a chunked body is put here, where nobody looks for it.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._fruitless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._fruitless = 0
        self.late.end(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        # What is left of a body that nobody reads has to come in time as well. One that others follow is here.
        if self.cycle.more_body and not self.pipeline:
            self.late.begin(self)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self.late.end(self)
        super().connection_lost(exc)

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


def _send_whole(cycle: RequestResponseCycle, answer: Answer) -> bool:
    """Send an answer to a POST; False, and nothing is sent, where it would have to wait.

    What uvicorn does in two steps, without looking through headers that are our own, and written at once.
    """
    if cycle.flow.write_paused or cycle.disconnected:
        return False
    default = [b"%b: %b\r\n" % pair for pair in cycle.default_headers]
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"".join((b"HTTP/1.1 200 OK\r\n", *default, answer.head, end, answer.body)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def _do_not_wait_for_ever(peer: socket.socket, seconds: float) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Linux alone has all of these.
    options: Any = socket
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_USER_TIMEOUT, min(int(seconds * 1_000), _MOST_MILLISECONDS))
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_KEEPIDLE, _PROBE_SECONDS)
        peer.setsockopt(socket.IPPROTO_TCP, options.TCP_KEEPINTVL, _PROBE_SECONDS // 4)
