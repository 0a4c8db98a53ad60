"""What a client is set up with, and what follows: where to post, with which headers, and what to keep secret."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from math import inf
from types import NoneType
from typing import NamedTuple

import httpx

from reward_server.client.errors import RewardError
from reward_server.client.tls import TlsFiles
from reward_server.http_sessions import is_usable_key

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "api_key": ((str, NoneType), "a text or None"),
    "digest": ((str, NoneType), "a text or None"),
    "run": ((str, NoneType), "a text or None"),
    "spec": ((str, NoneType), "a text or None"),
    "patience": ((int, float), "a number"),
    "connections": ((int,), "a whole number"),
    "tls": ((TlsFiles,), "TlsFiles"),
}
"""What each option but `url` has to be, and how that is said."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What a client is set up with."""

    url: str | Sequence[str]
    """Of the server, or the whole one that a trainer is given: `…/score?spec=…&digest=…&run=…`. Of several servers, all
    of which have to be pinned to one digest, whichever is well and has the least to do is asked."""
    api_key: str | None = None
    """A key in the URL (`http://run:KEY@host`) wins."""
    digest: str | None = None
    """Of the spec that has to score: sent as If-Match, and compared with that of the one that did."""
    run: str | None = None
    """Names the training run in the server's metrics, as X-Run-Id."""
    spec: str | None = None
    """Which loaded spec scores; None for what the URL or else the server says."""
    patience: float = 600.0
    """Seconds for one batch, retries included."""
    connections: int = 64
    """Most requests in flight; further ones wait their turn, which counts towards patience."""
    tls: TlsFiles = field(default_factory=TlsFiles)
    """Of https servers."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Of all servers."""
        return (self.url,) if isinstance(self.url, str) else tuple(self.url)

    def __repr__(self) -> str:
        """Shows no key."""
        shown = {name: getattr(self, name) for name in self.__slots__}
        urls = [_without_userinfo(url) for url in self.urls]
        shown |= {"url": urls[0] if isinstance(self.url, str) else urls, "api_key": self.api_key and "…"}
        return f"ClientOptions({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class Address(NamedTuple):
    """How a server is asked for rewards."""

    url: str
    """To post to; without a key, since httpx logs it whole."""
    ready_url: str
    """Tells whether it is ready."""
    host: str
    headers: dict[bytes, bytes]
    secrets: list[str]
    """What no message may repeat."""
    pin: str | None
    """The digest that the spec has to have."""


def addresses(options: ClientOptions) -> list[Address]:
    """One for each server. Raises RewardError, without a key in it, for options that cannot be used."""
    _check_kinds(options)
    found = [_address(url, options) for url in options.urls]
    pins = {address.pin for address in found}
    if not found:
        raise RewardError("url: there is none")
    if len(found) > 1 and (len(pins) > 1 or None in pins):
        raise RewardError(
            "digest: of several servers each has to be pinned to one and the same, so that none is mixed in"
        )
    if not (0 < options.patience < inf and options.connections > 0):
        raise RewardError("patience has to be a finite number of seconds above 0, and connections 1 at least")
    return found


def _check_kinds(options: ClientOptions) -> None:
    """Raise RewardError for an option of another type than it has to have; what it is may be a key, and is not told."""
    url = options.url
    if not (isinstance(url, Sequence) and all(isinstance(one, str) for one in url)):
        raise RewardError("url has to be a text, or a list of texts")
    for name, (kinds, wanted) in _KINDS.items():
        value = getattr(options, name)
        if not isinstance(value, kinds):
            raise RewardError(f"{name} has to be {wanted}, not of type {type(value).__name__}")


def _address(given: str, options: ClientOptions) -> Address:
    url = _parsed(given, options)
    key = options.api_key or ""
    if not is_usable_key(key):
        raise RewardError("api_key has white space around it, or a character that no header can carry")
    headers = {b"Authorization": f"Bearer {key}".encode()} if key else {}
    if options.digest is not None:
        headers[b"If-Match"] = f'"{options.digest}"'.encode()
    if options.run is not None:
        headers[b"X-Run-Id"] = options.run.encode()
    secrets = [key]
    if url.userinfo:
        basic = b64encode(f"{url.username}:{url.password}".encode()).decode()
        headers[b"Authorization"] = f"Basic {basic}".encode()
        as_written = url.userinfo.decode()
        secrets += [basic, as_written, as_written.partition(":")[2], url.password or url.username]
    base = url.path.removesuffix("/score").removesuffix("/get_reward").rstrip("/")
    at = url.copy_with(userinfo=b"", fragment=None, path=f"{base}/score")
    # What else the URL says stays, misspelt names too: the server refuses those, where we would lose a pin.
    score = at if options.spec is None or "spec" in at.params else at.copy_add_param("spec", options.spec)
    ready = at.copy_with(query=None, path=f"{base}/readyz")
    pin = options.digest or url.params.get("digest")
    return Address(str(score), str(ready), url.host, headers, list(filter(None, secrets)), pin)


def _parsed(given: str, options: ClientOptions) -> httpx.URL:
    try:
        url = httpx.URL(given)
        is_good = url.scheme in ("http", "https") and bool(url.host) and (url.port is None or 0 < url.port < 2**16)
    except httpx.InvalidURL:
        is_good = False
    if not is_good:
        shown = _without_userinfo(given)
        raise RewardError(f"url: {shown!r} is not that of a server, such as http://127.0.0.1:8080/score")
    for name, value in (("spec", options.spec), ("digest", options.digest), ("run", options.run)):
        if value is None:
            continue
        if value != value.strip() or not (value.isascii() and value.isprintable()):
            raise RewardError(f"{name} has white space around it, or a character that no header can carry: {value!a}")
        if (in_url := url.params.get(name, value)) != value:
            raise RewardError(f"{name} is {value!r}, but in the URL {in_url!r}")
    return url


def _without_userinfo(url: str) -> str:
    """Leaves out all that may be userinfo, also in what is no URL."""
    return re.sub(r"\A([a-z][a-z0-9+.-]*:/*)?.*@", lambda found: found[1] or "", url, flags=re.DOTALL | re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine itself, which no proxy stands before."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
