"""The endpoint: any server that speaks OpenAI's chat completions, through OpenAI's own client."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import openai
from openai.types.chat import ChatCompletionMessageParam

from trainer.rationales.answer import Answer, Failure, read_answer
from trainer.rationales.stop import Stop
from trainer.sessions.prompt import Message

_NO_KEY = "none"
_LONGEST_WAIT_BETWEEN_TRIES = 120
_SHOWN = 500
_RETRIED = (408, 409, 429)
_OF_THE_REQUEST = (400, 413, 422)
"""What a server says of one request, too long a prompt above all, and not of every other."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Where to ask, and how."""

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    temperature: float = 0.7
    max_tokens: int = 128
    timeout: float = 120.0
    """Seconds that a server may stay silent."""
    retries: int = 6
    """How often the client tries again after a 429, a 5xx, a time-out or a lost connection, with growing pauses."""

    @property
    def address(self) -> str:
        """The address without credentials, for messages."""
        parts = urlsplit(self.base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class Unanswered(Exception):
    """A request that got no answer after every retry."""

    def __init__(self, failure: Failure, reason: str) -> None:
        super().__init__(reason)
        self.failure = failure


class EndpointError(Stop):
    """What would go wrong with every other request too."""


class Endpoint:
    """An open client."""

    def __init__(self, settings: EndpointSettings, client: openai.AsyncOpenAI) -> None:
        self._settings = settings
        self._client = client
        self._deadline = (settings.retries + 1) * (settings.timeout + _LONGEST_WAIT_BETWEEN_TRIES)

    async def ask(self, messages: Sequence[Message]) -> Answer:
        """What the model says. Raises Unanswered, and EndpointError where asking on is pointless."""
        settings = self._settings
        try:
            # A server that sends a byte now and then is never silent; this bounds it.
            async with asyncio.timeout(self._deadline):
                response = await self._client.chat.completions.with_raw_response.create(
                    model=settings.model,
                    messages=cast("list[ChatCompletionMessageParam]", list(messages)),
                    temperature=settings.temperature,
                    max_tokens=settings.max_tokens,
                )
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except (openai.APITimeoutError, TimeoutError):
            raise Unanswered(Failure.TIMED_OUT, f"no answer within {settings.timeout:g} s") from None
        except openai.APIConnectionError as error:
            if _never_connected(error):
                raise EndpointError(f"{settings.address} cannot be reached: {error.__cause__}") from None
            raise Unanswered(Failure.CONNECTION_LOST, "the server closed the connection") from None
        return read_answer(response.http_response.content)

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        said = self._said(error)
        if error.status_code == 429:
            return Unanswered(Failure.RATE_LIMITED, said)
        if error.status_code >= 500 or error.status_code in _RETRIED:
            return Unanswered(Failure.SERVER_ERROR, f"{error.status_code}: {said}")
        if error.status_code in _OF_THE_REQUEST:
            return Unanswered(Failure.REJECTED, f"{error.status_code}: {said}")
        return EndpointError(f"{self._settings.address} refuses the request ({error.status_code}): {said}")

    def _said(self, error: openai.APIStatusError) -> str:
        """The server's own words, without the key, which some repeat."""
        message = error.body.get("message") if isinstance(error.body, dict) else error.body
        text = message if isinstance(message, str) else error.response.text
        if self._settings.api_key:
            text = text.replace(self._settings.api_key, "[the key]")
        return " ".join(text[:_SHOWN].split()) or "no reason given"


@asynccontextmanager
async def open_endpoint(settings: EndpointSettings) -> AsyncIterator[Endpoint]:
    """A client for the endpoint; it opens connections as they are needed."""
    async with openai.AsyncOpenAI(
        api_key=settings.api_key or _NO_KEY,
        base_url=settings.base_url,
        timeout=settings.timeout,
        max_retries=settings.retries,
    ) as client:
        yield Endpoint(settings, client)


def _never_connected(error: openai.APIConnectionError) -> bool:
    """Whether no connection was made at all. By name: the client's HTTP library is httpx or httpx2, by its version."""
    return type(error.__cause__).__name__ in ("ConnectError", "UnsupportedProtocol")
