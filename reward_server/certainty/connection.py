"""A vLLM server over HTTP: patient with one that is slow or away, plain about one that refuses."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

import httpx
import orjson

from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import (
    Certainty,
    CertaintySource,
    Kind,
    RationaleRequest,
    SourceError,
    SourceUnavailable,
)
from reward_server.http_sessions import (
    Message,
    Nonsense,
    Sessions,
    TooLong,
    is_usable_key,
    new_client,
    one_line,
    read_message,
    without,
)
from reward_server.patience import Patience, Transient

CHECK_SECONDS = 2.0
"""How long a server may take to say that it is there."""
MOST_BYTES = 64 * 2**20
"""Of an answer whose size does not follow from its request; tokenizers have up to 35 MB."""

_LONGEST_REASON = 200
_KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

T = TypeVar("T")


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
        return one_line(text, _LONGEST_REASON)


class Connection:
    """One server, reached by any number of batches at once. Raises SourceError for settings that cannot work."""

    def __init__(self, options: SourceOptions) -> None:
        try:
            url = httpx.URL(options.url)
        except httpx.InvalidURL as error:
            raise SourceError(f"REWARD_VLLM_URL is no URL: {error}") from None
        key = options.api_key or ""
        if not is_usable_key(key):
            raise SourceError("REWARD_VLLM_API_KEY has white space around it, or a character that no header can carry")
        self.name = f"vLLM at {url.copy_with(userinfo=b'')}"
        self._url = str(options.url).rstrip("/")
        self._secrets = [key] if key else []
        self._patience = options.patience
        headers = {b"Authorization": f"Bearer {key}".encode()} if key else {}
        # The environment's proxies stay out: the server is a neighbour.
        is_https = self._url.lower().startswith("https:")
        client = partial(new_client, headers, options.concurrency, silence=None, verify=is_https)
        self._sessions = Sessions(client, options.concurrency)
        self._last: str | None = None

    @property
    def slots(self) -> asyncio.Semaphore:
        """Holds as many as may be served at once."""
        return self._sessions.here().slots

    @property
    def first(self) -> asyncio.Lock:
        """For what only the first to come need do."""
        return self._sessions.here().first

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
            reply = await self._sessions.ask(method, self._url + path, content, most)
        except TooLong:
            raise SourceError(f"{self.name} answered {method} {path} with more than {most:,} bytes") from None
        except Transient as error:
            raise self._transient(str(error)) from None
        answer = Answer(reply.status, reply.content)
        if answer.status in _KEY_REFUSED:
            raise SourceError(f"{self.name} refuses our key: set REWARD_VLLM_API_KEY to the one it was started with")
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._transient(f"status {answer.status}: {answer.reason}", reply.retry_after)
        self._last = None
        return answer

    def read(self, answer: Answer, message: type[Message]) -> Message:
        """The message in an answer.

        Raises Transient for what is no JSON, such as half an answer, and SourceError for a message of another kind.
        """
        if answer.status != HTTPStatus.OK:
            raise self.refusal(answer)
        try:
            return read_message(answer.content, message)
        except Transient as error:
            raise self._transient(str(error)) from None
        except Nonsense as error:
            raise self.nonsense(str(error)) from None

    def refusal(self, answer: Answer) -> SourceError:
        """The error for a request that the server does not take."""
        return SourceError(f"{self.name} answered {answer.status}: {without(answer.reason, self._secrets)}")

    def nonsense(self, what: str) -> SourceError:
        """The error for an answer that cannot be right."""
        return SourceError(f"{self.name} does not answer as it should: {what}")

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        await self._sessions.close()

    def _transient(self, reason: str, retry_after: float = 0) -> Transient:
        self._last = without(reason, self._secrets)
        return Transient(self._last, retry_after)


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
