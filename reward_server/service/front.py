"""What happens to every request, whatever becomes of it: it is counted and timed, and its answer says what all do.

Requests to score go past FastAPI, whose way to a route takes several times what the reward itself does; everything else
goes on to it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.types import Message, Receive, Scope, Send

from reward_server.service.answers import Answer
from reward_server.service.connections import WHOLE_ANSWER
from reward_server.service.problems import Problem
from reward_server.service.state import ServerState

_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""No answer that a browser gets is a page to be kept, framed or run."""
_CLOSE = (b"connection", b"close")

Endpoint = Callable[[Request, ServerState], Awaitable[Response]]
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class Front:
    """ASGI application: an app, and before it the endpoints of `POST` requests that have no time for it."""

    def __init__(self, app: FastAPI, state: ServerState, direct: dict[str, Endpoint]) -> None:
        """`direct` has endpoints by path. What they raise is answered as the app's own handlers say."""
        self.app = app
        self._state = state
        self._direct = direct
        self._in_flight = 0
        if not state.is_inner:
            state.metrics.follow(state.metrics.in_flight, lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's lifespan."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = self._state
        endpoint = self._direct.get(scope["path"]) if scope["method"] == "POST" else None
        # Taken out, because it knows its request, which has the scope: nothing else would keep the three alive.
        answer = _Answer(send, scope.get("extensions", {}).pop(WHOLE_ANSWER, None), state)
        started = perf_counter()
        self._in_flight += 1
        try:
            if endpoint is None:
                await self.app(scope, receive, answer.send)
            else:
                await self._serve(endpoint, Request(scope, receive), answer)
        except asyncio.CancelledError:
            # A server that stops waits no longer: its client is to ask elsewhere at once.
            if not state.draining:
                raise
            if not answer.status:
                fault = ("", "this server stopped before it had an answer; nothing was scored")
                problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, "draining", [fault], headers={"Retry-After": "1"})
                await problem.response()(scope, receive, answer.send)
        finally:
            self._in_flight -= 1
            if not state.is_inner:
                route = scope["path"] if endpoint is not None else getattr(scope.get("route"), "path", "none")
                status = answer.status or HTTPStatus.INTERNAL_SERVER_ERROR.value
                state.metrics.answered(route, scope["method"], status, perf_counter() - started)

    async def _serve(self, endpoint: Endpoint, request: Request, answer: "_Answer") -> None:
        scope = request.scope
        try:
            response = await endpoint(request, self._state)
        except Exception as error:
            scope["app"] = self.app
            handler = self._handler(error)
            response = await handler(request, error)
            await response(scope, request.receive, answer.send)
            if handler is self.app.exception_handlers[Exception]:
                raise  # for the log
            _let_go(error)
            return
        # Browsers say where a POST comes from. Trainers' calls go without headers that take as long as the reward.
        if self._state.draining or any(name == b"origin" for name, _ in scope["headers"]):
            await response(scope, request.receive, answer.send)
            return
        await answer.send_bare(response)

    def _handler(self, error: Exception) -> ErrorHandler:
        handlers: dict[Any, Any] = self.app.exception_handlers
        found: ErrorHandler = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
        return found


def _let_go(error: BaseException | None) -> None:
    """Free what an error knows of where it was raised: often that knows the error too, and the request's body."""
    while error is not None:
        error.__traceback__ = None
        # Cut, for errors that are each other's context would be gone through for ever.
        context, error.__context__ = error.__context__, None
        error = context


class _Answer:
    """What is sent, and what all answers have besides."""

    __slots__ = ("_send", "_send_whole", "_state", "status")

    def __init__(self, send: Send, send_whole: Callable[[Answer], bool] | None, state: ServerState) -> None:
        self._send = send
        self._send_whole = send_whole
        self._state = state
        self.status = 0
        """0 before the answer begins."""

    async def send(self, message: Message) -> None:
        """Send it.

        An answer of a server that stops is the last on its connection: on one left idle, a request could cross with the
        end of it, and its client opens the next one elsewhere.
        """
        if not self.status:
            self.status = message["status"]
            given = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(pair for pair in _HEADERS if pair[0] not in given)]
            if self._state.draining:
                message["headers"] = [*message["headers"], _CLOSE]
        await self._send(message)

    async def send_bare(self, response: Response) -> None:
        """Send a response with no headers but its own, at once if that can be."""
        self.status = response.status_code
        if self._send_whole is not None and isinstance(response, Answer) and self._send_whole(response):
            return
        await self._send({"type": "http.response.start", "status": self.status, "headers": response.raw_headers})
        await self._send({"type": "http.response.body", "body": response.body})
