"""Asking one HTTP server from any number of event loops: what all our clients share, and what they make of failures."""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from reward_server.patience import Transient

_CONNECT_SECONDS = 5.0

Message = TypeVar("Message", bound=BaseModel)


class Reply(NamedTuple):
    """What a server answered, whatever its status."""

    status: int
    content: bytes
    retry_after: float
    """Seconds; 0 where the answer names none."""


class Untrusted(Transient):
    """A certificate that shows another server than the one that was meant, or nobody that may be trusted.

    Waiting mends it only for those who can wait until somebody has renewed it.
    """


class TooLong(Exception):
    """An answer of more bytes than it may have."""


class Nonsense(Exception):
    """An answer that cannot be right."""


_parsed = lru_cache(httpx.URL)
"""The same few URLs, which httpx would read anew for each request."""


@dataclass(frozen=True, slots=True)
class Session:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    client: httpx.AsyncClient
    slots: asyncio.Semaphore
    """Holds as many as may be served at once."""
    first: asyncio.Lock
    """For what only the first to come need do."""


class Sessions:
    """The running loop's session: a process may run several loops, one after the other."""

    def __init__(self, new_client: Callable[[], httpx.AsyncClient], concurrency: int) -> None:
        self._new_client = new_client
        self._concurrency = concurrency
        self._session: Session | None = None

    def here(self) -> Session:
        """The session of the loop that runs."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.loop is not loop:
            slots = asyncio.Semaphore(self._concurrency)
            self._session = Session(loop, self._new_client(), slots, asyncio.Lock())
        return self._session

    async def ask(
        self, method: str, url: str, content: bytes | None, most: int, headers: Mapping[bytes, bytes] | None = None
    ) -> Reply:
        """One request, however long it takes.

        Raises Transient without a whole answer, Untrusted among them, and TooLong above `most` bytes.

        A server may answer before it has the whole body. httpx reads that once it has sent what it can: a body of some
        megabytes fits between the machines, above which a server that reads on is heard too; one that closes at once
        may reset the connection instead, which is Transient without its Retry-After.
        """
        try:
            at = _parsed(url)
            async with self.here().client.stream(method, at, content=content, headers=dict(headers or {})) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise TooLong
        except TooLong:
            raise
        except Exception as error:  # httpx lets through what comes of odd headers, names and addresses
            if (reason := _distrust(error)) is not None:
                raise Untrusted(f"its certificate is not trusted: {reason}") from None
            raise Transient(f"{type(error).__name__} {error}".strip()) from None
        return Reply(response.status_code, bytes(body), _retry_after(response))

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        # Those of a loop that is over are dead already.
        if session is not None and session.loop is asyncio.get_running_loop():
            await session.client.aclose()


def new_client(
    headers: Mapping[bytes, bytes],
    connections: int,
    *,
    silence: float | None,
    verify: ssl.SSLContext | bool,
    direct: Iterable[str] | None = None,
) -> httpx.AsyncClient:
    """A client that sends JSON and keeps no cookies.

    `silence` is how many seconds a server may send and take nothing, None for any; `verify` is False where no server
    has https, whose certificates take 50 ms to read. Hosts in `direct`, None for all, are asked without the
    environment's proxies.
    """
    limits = httpx.Limits(max_connections=connections + 2, max_keepalive_connections=connections)
    # A transport of our own keeps the proxies out.
    own = partial(httpx.AsyncHTTPTransport, verify=verify, limits=limits)
    return httpx.AsyncClient(
        headers={b"Content-Type": b"application/json", **headers},
        timeout=httpx.Timeout(silence, connect=_CONNECT_SECONDS),
        transport=own() if direct is None else None,
        mounts={f"all://{f'[{host}]' if ':' in host else host}": own() for host in direct or ()},
        verify=verify,
        limits=limits,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        trust_env=direct is not None,
    )


def read_message(content: bytes, message: type[Message], *, strict: bool = False) -> Message:
    """The message in an answer.

    Raises Transient for what is no JSON, such as half an answer, and Nonsense for a message of another kind.
    """
    try:
        return message.model_validate_json(content, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise Transient(f"an answer that is not JSON: {first['msg']}") from None
        raise Nonsense(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def is_usable_key(key: str) -> bool:
    """Whether a header can carry the key, and carries it whole."""
    return key == key.strip() and key.isprintable()


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret in it left out."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text


def one_line(text: str, longest: int) -> str:
    """Text of unknown origin for a message: printable, on one line, of at most so many characters and a mark."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())
    return text if len(text) <= longest else f"{text[:longest]}…"


def _distrust(error: BaseException | None) -> str | None:
    """What is wrong with a certificate, if that is among the causes of an error."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return None if error is None else error.verify_message.rstrip(".")


def _retry_after(response: httpx.Response) -> float:
    """The seconds of `Retry-After`; 0 without it, and for a date."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
