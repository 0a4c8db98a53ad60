"""Large batches are read and scored by a process of their own, so that the one that answers everybody never stops.

It is the same service, on a loopback port, started for the first large batch and again if it dies. What arrives of a
large body is passed on at once, so that it is held in one process only.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from fastapi import Request, Response
from pydantic import SecretStr

from reward_server.service.exposition import forget_ended_processes
from reward_server.service.problems import Problem
from reward_server.settings import Settings

if TYPE_CHECKING:
    import httpx

LARGE_BYTES = 2**20
"""Bodies above are large."""
LARGE_COUNT = 2_048
"""So are batches of more rollouts, however small."""

_WRITE_SECONDS = 300.0
"""Far more than it takes to score the largest batch, while which nothing is read of the next."""

_PASSED_ON = (b"if-match", b"x-run-id", b"content-length")
_NOT_PASSED_BACK = ("content-length", "connection", "date", "transfer-encoding")


class LargeBatches:
    """The process for large batches."""

    def __init__(self, settings: Settings, serve: Callable[[Settings, socket.socket], None]) -> None:
        """Starts nothing yet; `serve` is what the process does, with a socket that listens."""
        self._serve = serve
        # It serves nobody but this process, whose key it therefore has, and knows none of the clients'.
        key = token_urlsafe()
        self._settings = settings.model_copy(update={"api_keys": (SecretStr(key),), "api_keys_file": None})
        self._authorization = (b"authorization", f"Bearer {key}".encode())
        self._process: SpawnProcess | None = None
        self._client: httpx.AsyncClient | None = None
        self._url = ""
        self._starting = asyncio.Lock()

    async def score(self, request: Request, body: AsyncIterator[bytes]) -> Response:
        """That process's answer to a request whose body is not read yet.

        Raises a 503 Problem if it dies over it, and whatever reading the body raises.
        """
        try:
            client, running = await self._running()
        except OSError as error:  # no memory, or no files left
            raise _lost(f"cannot be started ({error.strerror})") from None
        import httpx

        url = httpx.URL(running, path=request.url.path, query=request.url.query.encode())
        headers = [(name, value) for name, value in request.headers.raw if name in _PASSED_ON]
        headers.append(self._authorization)
        try:
            reply = await client.post(url, headers=headers, content=body)
        except httpx.TransportError as error:
            raise _lost(f"ended ({type(error).__name__})") from None
        kept = {name: value for name, value in reply.headers.items() if name not in _NOT_PASSED_BACK}
        return Response(reply.content, reply.status_code, kept)

    @property
    def has_begun(self) -> bool:
        """Whether the process was ever needed."""
        return self._process is not None

    async def close(self) -> None:
        """End the process."""
        if self._client is not None:
            await self._client.aclose()
        await asyncio.to_thread(self.kill)

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    async def _running(self) -> "tuple[httpx.AsyncClient, str]":
        """A client, and where the process listens; requests wait in its socket's queue until it is up."""
        async with self._starting:
            if self._client is None:
                self._client = await asyncio.to_thread(_new_client)
            if self._process is None or not self._process.is_alive():
                forget_ended_processes()
                with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listening:
                    arguments = (self._settings, listening)
                    process = get_context("spawn").Process(target=self._serve, args=arguments, daemon=True)
                    await asyncio.to_thread(process.start)
                    self._process = process
                    self._url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            return self._client, self._url


def _new_client() -> "httpx.AsyncClient":
    # Imported here, which takes a while, because many servers never see a large batch.
    import httpx

    # A batch takes what it takes, and a process that is gone ends its connections; one that takes nothing hangs.
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, write=_WRITE_SECONDS),
        trust_env=False,
        # Nobody has a certificate here, and to read those of all authorities takes 50 ms.
        verify=False,  # noqa: S501
        limits=httpx.Limits(max_connections=None),
    )


def _lost(why: str) -> Problem:
    fault = ("", f"the process that scores large batches {why}; send the batch again")
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "worker-lost", [fault], headers={"Retry-After": "1"})
