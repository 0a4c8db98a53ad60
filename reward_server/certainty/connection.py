"""A vLLM server over HTTP: patient with one that is slow or away, plain about one that refuses."""

import asyncio
import random
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NamedTuple, TypeVar

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import (
    Certainty,
    CertaintySource,
    Kind,
    RationaleRequest,
    SourceError,
    SourceUnavailable,
)

CHECK_SECONDS = 2.0
"""How long a server may take to say that it is there."""
MOST_BYTES = 64 * 2**20
"""Of an answer whose size does not follow from its request; tokenizers have up to 35 MB."""

_CONNECT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_LONGEST_REASON = 200
_KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

T = TypeVar("T")
Message = TypeVar("Message", bound=BaseModel)


class Transient(Exception):
    """What may be over in a while."""

    def __init__(self, reason: str, retry_after: float = 0) -> None:
        """`retry_after` is in seconds."""
        super().__init__(reason)
        self.retry_after = retry_after


class Answer(NamedTuple):
    """What came back, if it was no failure of the server's own."""

    status: int
    content: bytes

    @property
    def reason(self) -> str:
        """What the body of an error says, shortened."""
        try:
            error = orjson.loads(self.content)["error"]
            text = str(error.get("reason") or error["message"])
        except (ValueError, LookupError, TypeError, AttributeError):
            text = self.content[: 4 * _LONGEST_REASON].decode(errors="replace")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


class Patience:
    """Waits for one batch, and remembers what for."""

    def __init__(self) -> None:
        self.last: str | None = None

    async def insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat an attempt for as long as it raises Transient, after pauses that grow, or as long as it asks for.

        Written out, because only the pauses would be left to a library: what ends it is the time its block is allowed.
        """
        ceiling = _FIRST_PAUSE
        while True:
            try:
                return await attempt()
            except Transient as error:
                self.last = str(error)
                await asyncio.sleep(max(error.retry_after, random.uniform(0, ceiling)))
                ceiling = min(2 * ceiling, _LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class _Session:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    client: httpx.AsyncClient
    slots: asyncio.Semaphore
    first: asyncio.Lock


class Connection:
    """One server, reached by any number of batches at once. Raises SourceError for settings that cannot work."""

    def __init__(self, options: SourceOptions) -> None:
        try:
            url = httpx.URL(options.url)
        except httpx.InvalidURL as error:
            raise SourceError(f"REWARD_VLLM_URL is no URL: {error}") from None
        key = options.api_key or ""
        if key != key.strip() or not key.isprintable():
            raise SourceError("REWARD_VLLM_API_KEY has white space around it, or a character that no header can carry")
        self.name = f"vLLM at {url.copy_with(userinfo=b'')}"
        self._url = str(options.url).rstrip("/")
        self._key = key
        self._concurrency = options.concurrency
        self._patience = options.patience
        self._session: _Session | None = None
        self._last: str | None = None

    @property
    def slots(self) -> asyncio.Semaphore:
        """Holds as many as may be served at once."""
        return self._here().slots

    @property
    def first(self) -> asyncio.Lock:
        """For what only the first to come need do."""
        return self._here().first

    @asynccontextmanager
    async def patience(self) -> AsyncIterator["Patience"]:
        """Allow a block so much time, waits for its turn included. Raises SourceUnavailable when it is over."""
        patience = Patience()
        try:
            async with asyncio.timeout(self._patience):
                yield patience
        except TimeoutError:
            last = patience.last or self._last
            raise SourceUnavailable(
                f"{self.name} told no certainty within {self._patience:g} s (REWARD_PATIENCE); "
                f"{f'the last that went wrong: {last}' if last else 'it answers nothing'}"
            ) from None

    async def promptly(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make one attempt, for CHECK_SECONDS at most. Raises SourceUnavailable."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await attempt()
        except Transient as error:
            raise SourceUnavailable(f"{self.name}: {error}") from None
        except TimeoutError:
            raise SourceUnavailable(f"{self.name} did not answer within {CHECK_SECONDS:g} s") from None

    async def ask(self, method: str, path: str, message: object = None, most: int = MOST_BYTES) -> Answer:
        """One request, however long it takes.

        Raises Transient for what may be over in a while, SourceError for a key that is refused, and for an answer of
        more than `most` bytes.
        """
        content = None if message is None else orjson.dumps(message)
        try:
            async with self._here().client.stream(method, self._url + path, content=content) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise SourceError(f"{self.name} answered {method} {path} with more than {most:,} bytes")
        except SourceError:
            raise
        except Exception as error:  # httpx lets through what comes of odd headers, names and addresses
            raise self._transient(f"{type(error).__name__} {error}".strip()) from None
        answer = Answer(response.status_code, bytes(body))
        if answer.status in _KEY_REFUSED:
            raise SourceError(f"{self.name} refuses our key: set REWARD_VLLM_API_KEY to the one it was started with")
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._transient(f"status {answer.status}: {answer.reason}", _retry_after(response))
        self._last = None
        return answer

    def read(self, answer: Answer, message: type[Message]) -> Message:
        """The message in an answer.

        Raises Transient for what is no JSON, such as half an answer, and SourceError for a message of another kind.
        """
        if answer.status != HTTPStatus.OK:
            raise self.refusal(answer)
        try:
            return message.model_validate_json(answer.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                raise self._transient(f"an answer that is not JSON: {first['msg']}") from None
            place = ".".join(map(str, first["loc"]))
            raise self.nonsense(f"{place}: {first['msg']}") from None

    def refusal(self, answer: Answer) -> SourceError:
        """The error for a request that the server does not take."""
        return SourceError(f"{self.name} answered {answer.status}: {self._without_key(answer.reason)}")

    def nonsense(self, what: str) -> SourceError:
        """The error for an answer that cannot be right."""
        return SourceError(f"{self.name} does not answer as it should: {what}")

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        # Those of a loop that is over are dead already.
        if session is not None and session.loop is asyncio.get_running_loop():
            await session.client.aclose()

    def _here(self) -> _Session:
        """The running loop's session: a command may run several loops, one after the other."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.loop is not loop:
            # A transport of our own also keeps the environment's proxies out: the server is a neighbour. Certificates
            # take 50 ms to read, and http has no use for them.
            transport = httpx.AsyncHTTPTransport(
                verify=self._url.lower().startswith("https:"),
                limits=httpx.Limits(max_connections=self._concurrency + 2, max_keepalive_connections=self._concurrency),
            )
            client = httpx.AsyncClient(
                headers={
                    b"Content-Type": b"application/json",
                    **({b"Authorization": f"Bearer {self._key}".encode()} if self._key else {}),
                },
                timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
                transport=transport,
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                trust_env=False,
            )
            self._session = _Session(loop, client, asyncio.Semaphore(self._concurrency), asyncio.Lock())
        return self._session

    def _transient(self, reason: str, retry_after: float = 0) -> Transient:
        self._last = self._without_key(reason)
        return Transient(self._last, retry_after)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "…") if self._key else text


class ConnectedSource(CertaintySource):
    """A source that asks one vLLM, patiently."""

    def __init__(self, options: SourceOptions) -> None:
        """Connects to nothing yet. Raises SourceError for a URL or a key that cannot be used."""
        self._connection = Connection(options)

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, in order, all by the same weights."""
        if not requests:
            return []
        async with self._connection.patience() as patience:
            return await patience.insist(lambda: self._measure(requests, kind, patience))

    async def check(self) -> None:
        """Ask vLLM what it serves."""
        await self._connection.promptly(self._look)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    @abstractmethod
    async def _measure(self, requests: Sequence[RationaleRequest], kind: Kind, patience: Patience) -> list[Certainty]:
        """The same, once. Raises Transient for what is worth another try."""

    @abstractmethod
    async def _look(self) -> object:
        """What vLLM serves. Raises SourceMismatch for what it should not."""


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All at once, results in order. The first failure ends the others, and is raised.

    No TaskGroup: before Python 3.13 one that failed leaves its caller counted as cancelled, which breaks timeouts.
    """
    tasks = [asyncio.create_task(item) for item in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _retry_after(response: httpx.Response) -> float:
    """The seconds of `Retry-After`; 0 without it, and for a date, which vLLM never sends."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
