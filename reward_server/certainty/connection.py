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

from reward_server.certainty.breaker import Breaker
from reward_server.certainty.deadlines import Deadlines, Hung
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
    Session,
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

_DEADLINE_SECONDS = 10.0
"""For a request, at first."""
_FIRST_TRY = 1 / 3
"""The part of the patience that a request which has something measured may take at first, if that is more."""

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

    def __init__(self, options: SourceOptions, look: Callable[[], Awaitable[object]]) -> None:
        """`look` is how to find out cheaply whether it is there."""
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
        self._look = look
        self._breaker: tuple[Session, Breaker] | None = None
        self._measuring, self._learning = Deadlines(), Deadlines()

    @property
    def is_held_back(self) -> bool:
        """Whether batches wait for one among them to find the server well."""
        return self._breaker is not None and self._breaker[1].is_open

    @property
    def breaker(self) -> Breaker:
        """The running loop's."""
        session = self._sessions.here()
        if self._breaker is None or self._breaker[0] is not session:
            self._breaker = session, Breaker(self._look_briefly)
        return self._breaker[1]

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
            last = patience.last or self.breaker.last
            raise SourceUnavailable(
                f"{self.name} told no certainty within {self._patience:g} s (REWARD_PATIENCE); "
                f"{f'the last that went wrong: {last}' if last else 'it answers nothing'}"
            ) from None

    async def measure(self, patience: "Patience", work: Callable[[], Awaitable[T]]) -> T:
        """Have something measured, again and again; whoever else waits for it, as many at once as may be."""
        async with self.slots:
            seconds = max(_DEADLINE_SECONDS, self._patience * _FIRST_TRY)
            return await self._insist(patience, work, self._measuring, seconds)

    async def learn(self, patience: "Patience", work: Callable[[], Awaitable[T]]) -> T:
        """Ask what takes the server no time, again and again."""
        return await self._insist(patience, work, self._learning, _DEADLINE_SECONDS)

    async def _insist(
        self, patience: "Patience", work: Callable[[], Awaitable[T]], deadlines: Deadlines, seconds: float
    ) -> T:
        allowed = seconds

        async def attempt() -> T:
            nonlocal allowed
            try:
                return await deadlines.keep(work, allowed)
            except Hung:
                # It may have been slow: what is left of the patience is just as much.
                allowed *= 2
                raise

        return await patience.insist(lambda: self.breaker.attempt(attempt, proves=deadlines is self._measuring))

    async def _look_briefly(self) -> None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._look()
        except TimeoutError:
            raise Transient(f"it did not answer within {CHECK_SECONDS:g} s") from None

    async def check(self) -> None:
        """Look once, for CHECK_SECONDS at most. Raises SourceUnavailable."""
        try:
            await self._look_briefly()
        except Transient as error:
            raise SourceUnavailable(f"{self.name}: {error}") from None

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
        return Transient(without(reason, self._secrets), retry_after)


class ConnectedSource(CertaintySource):
    """A source that asks one vLLM, patiently."""

    def __init__(self, options: SourceOptions) -> None:
        """Connects to nothing yet. Raises SourceError for a URL or a key that cannot be used."""
        self._connection = Connection(options, self._look)
        self._batches = 0
        self._was_asked = False

    @property
    def is_held_back(self) -> bool:
        """Whether vLLM has failed several times in a row, so that one batch at a time tries it."""
        return self._connection.is_held_back

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, in order, all by the same weights."""
        if not requests:
            return []
        self._batches += 1
        self._was_asked = True
        try:
            async with self._connection.patience() as patience:
                return await patience.insist(lambda: self._measure(requests, kind, patience))
        finally:
            self._batches -= 1

    async def check(self) -> None:
        """Ask vLLM what it serves, and whether it has measured what it was asked to."""
        await self._connection.check()
        was_asked, self._was_asked = self._was_asked, self._batches > 0
        if self.is_held_back:
            if was_asked:
                last = self._connection.breaker.last
                raise SourceUnavailable(f"{self._connection.name} answers, but measures nothing: {last}")
            # Only a batch can show that it measures again, and none comes to a server that is not ready.
            self._connection.breaker.half_open()

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
