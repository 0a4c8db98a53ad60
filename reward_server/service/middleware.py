"""What happens to every request, whatever becomes of it: it is counted and timed, and a server that stops says so."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reward_server.service.metrics import Metrics
from reward_server.service.problems import Problem


class Measured:
    """ASGI middleware: requests by route, method and status; their latency; how many are in flight."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and observe it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value
        started = perf_counter()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, observe)
        finally:
            self.metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(route, scope["method"], str(status)).inc()
            self.metrics.latency.labels(route).observe(perf_counter() - started)


class Parting:
    """ASGI middleware: once the server is stopping, an answer is the last on its connection.

    Its client opens the next one elsewhere; on a connection left idle, a request could cross with the end of it. A
    request that the server no longer waits for is answered 503, so that its client asks elsewhere at once.
    """

    def __init__(self, app: ASGIApp, is_stopping: Callable[[], bool]) -> None:
        self.app = app
        self.is_stopping = is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def part(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if message["type"] == "http.response.start" and self.is_stopping():
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            await self.app(scope, receive, part)
        except asyncio.CancelledError:
            if not self.is_stopping():
                raise
            if not has_begun:
                fault = ("", "this server stopped before it had an answer; nothing was scored")
                problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "draining", [fault], headers={"Retry-After": "1"})
                await problem.response()(scope, receive, part)
