"""Wiring: settings in, an ASGI application out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from reward_server import __version__
from reward_server.service.front import Front
from reward_server.service.openapi import openapi
from reward_server.service.problems import Problem
from reward_server.service.routes import SCORING_ROUTES, router, score_call
from reward_server.service.state import ServerState

_DESCRIPTION = """\
Scores rollouts of LLMs that simulate online shoppers with the reward of Shop-R1 (arXiv 2507.17842).
`POST /score` takes two dialects; every answer's `ETag` is the digest of the spec that scored it.
"""


def create_app(state: ServerState) -> Front:
    """The service around one server state."""
    app = FastAPI(
        title="Shop-R1 reward server",
        version=__version__,
        description=_DESCRIPTION,
        redirect_slashes=False,
        # Ours is a route; FastAPI's pages load scripts from a CDN.
        openapi_url=None,
        lifespan=_watching,
    )
    app.state.server = state
    app.include_router(router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _crash)
    app.openapi = partial(openapi, app)  # type: ignore[method-assign]
    return Front(app, state, dict.fromkeys(SCORING_ROUTES, score_call))


@asynccontextmanager
async def _watching(app: FastAPI) -> AsyncIterator[None]:
    """Keep an eye on the certainty source for as long as the service runs; close what it has opened."""
    state: ServerState = app.state.server
    watching = None if state.certainty is None else asyncio.create_task(state.certainty.watch())
    publishing = asyncio.create_task(state.metrics.keep_publishing())
    try:
        yield
    finally:
        publishing.cancel()
        state.metrics.publish()
        if state.large is not None:
            await state.large.close()
        if state.certainty is not None and watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await state.certainty.close()


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    request.app.state.server.metrics.problems.labels(error.kind).inc()
    return error.response()


async def _http_exception(request: Request, error: Exception) -> Response:
    """No such route, or no such method on it."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    kind = status.phrase.lower().replace(" ", "-")
    detail = f"{request.method} {request.url.path}: {status.phrase.lower()}"
    return await _problem(request, Problem(status, kind, [("", detail)], headers=error.headers))


async def _gone(_request: Request, _error: Exception) -> Response:
    """The client left before its request was whole; nobody reads this answer."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _crash(request: Request, _error: Exception) -> Response:
    """A bug of ours, which the log tells in full."""
    detail = "the server failed on this request; its log says how"
    return await _problem(request, Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", [("", detail)]))
