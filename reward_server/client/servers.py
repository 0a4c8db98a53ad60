"""Which of several servers is asked next: the one that is well with the least to do; one that failed is left alone."""

from asyncio import Lock, sleep
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from math import inf
from random import sample
from time import monotonic

from reward_server.client.options import Address
from reward_server.http_sessions import Untrusted
from reward_server.patience import Transient, full_jitter

_FIRST_REST, _LONGEST_REST = 0.5, 5.0


@dataclass(eq=False, slots=True)
class Server:
    """What is known of one."""

    address: Address
    in_flight: int = 0
    last_asked: int = 0
    failures: int = 0
    """In a row."""
    rests_until: float | None = None
    """In monotonic seconds; None while it is well."""
    distrust: str | None = None
    """What was wrong with the certificate that it showed last; None if nothing was."""


class TooLate(Exception):
    """None may be asked again before the time is over."""


class NoneTrusted(Exception):
    """Of no server the certificate is trusted."""


class Servers:
    """Several, or one, which is always asked: whoever asks it again waits by itself.

    One that failed rests for a time that is drawn anew after each failure in a row, or as long as its Retry-After says,
    and is used again once it says that it is ready.
    """

    def __init__(
        self, addresses: Sequence[Address], look: Callable[[Server], Awaitable[None]], longest_rest: float
    ) -> None:
        """`look` raises Transient for a server that is not ready; no Retry-After is longer than `longest_rest`."""
        # Many clients start at once, and not all at the same server.
        self._servers = [Server(address) for address in sample(addresses, len(addresses))]
        self._look = look
        self._longest_rest = longest_rest
        self._turns = count(1)

    @property
    def is_none_well(self) -> bool:
        """Whether all rest."""
        return not self._well()

    async def choose(self, lock: Lock, deadline: float) -> Server:
        """The one to ask, waiting until one is well.

        The running loop's `lock` sees to it that one looks for all. Raises TooLate where all rest beyond the deadline,
        which is in monotonic seconds, and NoneTrusted where all rest and none is trusted.
        """
        while True:
            well = self._well()
            if well and (lock.locked() or self._first_due() > monotonic()):
                return min(well, key=lambda server: (server.in_flight, server.last_asked))
            if not well and self._first_due() > monotonic():
                self._check_trust()
            if self._first_due() >= deadline and not well:
                raise TooLate
            async with lock:
                # Whoever waited for another to find one goes on with that one.
                if well or not self._well():
                    await self._look_at_next()

    @contextmanager
    def asking(self, server: Server) -> Iterator[None]:
        """Count a request to a server for as long as the block runs, and how it went.

        Lets Transient through; raises NoneTrusted instead once no server's certificate is trusted.
        """
        server.in_flight += 1
        server.last_asked = next(self._turns)
        try:
            yield
            server.failures, server.distrust = 0, None
        except Transient as error:
            server.distrust = _distrust(error)
            self._check_trust()
            raise Transient(str(error), self._failed(server, error.retry_after)) from None
        finally:
            server.in_flight -= 1

    def _failed(self, server: Server, retry_after: float) -> float:
        """Leave a server alone for a while. Returns how long whoever asked it has to wait before it asks any."""
        if len(self._servers) == 1:
            return retry_after
        if server.rests_until is None:
            self._rest(server, retry_after)
        else:
            # Of those that fail together, as when a server is killed, one counts.
            server.rests_until = max(server.rests_until, monotonic() + min(retry_after, self._longest_rest))
        return 0.0

    async def _look_at_next(self) -> None:
        """Look at the server whose rest is over first, or wait until it is."""
        server = min(self._servers, key=lambda server: inf if server.rests_until is None else server.rests_until)
        if server.rests_until is None:
            return
        if (pause := server.rests_until - monotonic()) > 0:
            if not self._well():
                self._check_trust()
                await sleep(pause)
            return
        try:
            await self._look(server)
        except Transient as error:
            server.distrust = _distrust(error)
            self._rest(server, error.retry_after)
        else:
            server.rests_until = server.distrust = None

    def _rest(self, server: Server, retry_after: float) -> None:
        pause = max(min(retry_after, self._longest_rest), full_jitter(server.failures, _FIRST_REST, _LONGEST_REST))
        server.rests_until = monotonic() + pause
        server.failures += 1

    def _check_trust(self) -> None:
        if all(server.distrust is not None for server in self._servers):
            raise NoneTrusted("; ".join(f"{server.address.url}: {server.distrust}" for server in self._servers))

    def _well(self) -> list[Server]:
        return [server for server in self._servers if server.rests_until is None]

    def _first_due(self) -> float:
        return min((server.rests_until for server in self._servers if server.rests_until is not None), default=inf)


def _distrust(error: Transient) -> str | None:
    return str(error) if isinstance(error, Untrusted) else None
