"""Asks for the rewards of a batch until it has them all, or until one error says why it has none."""

import json
import logging
from asyncio import timeout
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from math import fsum, inf, isclose, isfinite
from time import monotonic
from types import TracebackType
from typing import Self

from pydantic import TypeAdapter

from reward_server import wire
from reward_server.client.errors import (
    BadAnswer,
    RewardError,
    RewardRefused,
    RewardUnavailable,
    ServerUntrusted,
    SpecMismatch,
)
from reward_server.client.options import Address, ClientOptions, addresses, is_loopback
from reward_server.client.problem import describe
from reward_server.client.servers import NoneTrusted, Server, Servers, TooLate
from reward_server.client.tls import tls_context
from reward_server.http_sessions import Nonsense, Reply, Sessions, TooLong, new_client, one_line, read_message, without
from reward_server.patience import Patience, Transient

_MOST_BYTES = 64 * 2**20
"""Of an answer, above what it repeats of its request."""
_LEAST_SILENCE = 30.0
"""Seconds without a byte, below which no server is given up for lost; above, it is a third of the patience."""
_LOOK_SECONDS = 2.0
"""Within which a server that failed has to say that it is ready again."""
_LONGEST_TEXT = 500
_REQUEST = TypeAdapter(wire.ScoreRequest)
"""Writes bytes, which a model's own method makes text of first."""
_LOG_SECONDS = 30.0
"""From one line of the log to the next, however many batches wait."""
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)

_log = logging.getLogger("reward_server.client")


class RewardClient:
    """One server, or several that score alike, asked for any number of batches at once.

    From several event loops one after the other; `SyncRewardClient` is for whoever has none. The environment's proxies
    are used as httpx does, but never for a loopback address.
    """

    def __init__(self, options: ClientOptions) -> None:
        """Connects to nothing yet. Raises RewardError for options that cannot be used."""
        found = addresses(options)
        self._secrets = sorted({secret for one in found for secret in one.secrets}, key=len, reverse=True)
        names = ", ".join(self._clean(one.url) for one in found)
        self._are_several = len(found) > 1
        self._name = f"the reward server{'s' if self._are_several else ''} at {names}"
        self._patience = options.patience
        neighbours = [one.host for one in found if is_loopback(one.host)]
        client = partial(
            new_client,
            {},
            options.connections,
            silence=max(_LEAST_SILENCE, options.patience / 3),
            verify=tls_context(options.urls, options.tls),
            direct=None if len(neighbours) == len(found) else neighbours,
        )
        try:
            client()
        except Exception as error:  # whatever is wrong with the proxies and certificates that the environment names
            raise RewardError(f"no client can be made for {self._name}: {self._clean(str(error))}") from None
        self._sessions = Sessions(client, options.connections)
        self._servers = Servers(found, self._look, options.patience)
        self._last: str | None = None
        self._logged = -inf

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def score(self, rollouts: Sequence[wire.Rollout]) -> wire.ScoreResponse:
        """The rewards of n rollouts: n of them, finite, in order, by the pinned spec.

        Asks again, and of several servers another, for as long as none answers well; scoring is pure, so that this is
        safe. Raises RewardUnavailable once the patience is over, or as soon as no server may be asked again before
        that; at once RewardRefused, SpecMismatch and BadAnswer, ServerUntrusted where no server's certificate is
        trusted, and RewardError for what is no rollout, or for rollouts that JSON cannot say.
        """
        batch = list(rollouts)
        content = _encoded(batch)
        patience = Patience()
        deadline = monotonic() + self._patience
        try:
            async with timeout(self._patience):
                return await patience.insist(lambda: self._attempt(content, batch, deadline))
        except NoneTrusted as error:
            raise ServerUntrusted(f"{self._clean(str(error))} (tls.ca_file says who may have signed it)") from None
        except (TimeoutError, TooLate) as error:
            last = patience.last or self._last
            when = ", and may not be asked again before that" if isinstance(error, TooLate) else ""
            raise RewardUnavailable(
                f"{self._name} gave no rewards within {self._patience:g} s{when}; "
                f"{f'the last that went wrong: {last}' if last else 'nothing answers'}"
            ) from None

    async def close(self) -> None:
        """Close the connections; the next batch opens new ones."""
        await self._sessions.close()

    async def _attempt(self, content: bytes, batch: Sequence[wire.Rollout], deadline: float) -> wire.ScoreResponse:
        """The same, asked once of one server. Raises Transient for what is worth another try, TooLate if it is late."""
        here = self._sessions.here()
        try:
            async with here.slots:
                server = await self._servers.choose(here.first, deadline)
                with self._servers.asking(server):
                    answer = await self._ask(server, content, batch)
        except Transient as error:
            self._last = f"{self._told_at(server)}{self._clean(str(error))}"
            if monotonic() + error.retry_after >= deadline:
                raise TooLate from None
            self._log_failure(self._last)
            raise Transient(self._last, error.retry_after) from None
        self._last = None
        pin = server.address.pin
        if pin is not None and answer.spec.digest != pin:
            scored = self._clean(f"{answer.spec.name} ({answer.spec.digest})")
            raise SpecMismatch(f"{self._named(server)} scored with {scored}, not with the pinned {pin}")
        return answer

    async def _ask(self, server: Server, content: bytes, batch: Sequence[wire.Rollout]) -> wire.ScoreResponse:
        address = server.address
        most = _MOST_BYTES + 2 * len(content)
        try:
            reply = await self._sessions.ask("POST", address.url, content, most, address.headers)
            if reply.status in _PASSING or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Transient(describe(reply, batch, self._clean), reply.retry_after)
            if reply.status != HTTPStatus.OK:
                raise self._refusal(server, reply, batch)
            answer = read_message(reply.content, wire.ScoreResponse, strict=True)
            _check(answer, batch)
        except TooLong:
            raise self._nonsense(server, f"more than {most:,} bytes") from None
        except Nonsense as error:
            raise self._nonsense(server, str(error)) from None
        return answer

    async def _look(self, server: Server) -> None:
        try:
            await self._ask_whether_ready(server.address)
        except Transient as error:
            if self._servers.is_none_well:
                self._log_failure(f"{self._told_at(server)}{self._clean(str(error))}")
            raise

    async def _ask_whether_ready(self, address: Address) -> None:
        """Raises Transient for a server that is not ready; one whose gateway hides whether it is may be asked."""
        try:
            async with timeout(_LOOK_SECONDS):
                reply = await self._sessions.ask("GET", address.ready_url, None, _MOST_BYTES, address.headers)
        except (TimeoutError, TooLong):
            raise Transient(f"{address.ready_url} gives no answer") from None
        if reply.status in _PASSING or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Transient(f"{address.ready_url} answers {reply.status}", reply.retry_after)

    def _log_failure(self, what: str) -> None:
        """Say now and then what is waited for: a trainer whose step stands still looks here first."""
        if monotonic() - self._logged >= _LOG_SECONDS:
            self._logged = monotonic()
            _log.warning("%s: %s; asking again; a batch has %g s in all", self._name, what, self._patience)

    def _refusal(self, server: Server, reply: Reply, batch: Sequence[wire.Rollout]) -> RewardError:
        words = describe(reply, batch, self._clean)
        if reply.status == HTTPStatus.PRECONDITION_FAILED:
            return SpecMismatch(f"{self._named(server)} scores with another spec: {words}")
        if reply.status >= HTTPStatus.BAD_REQUEST:
            return RewardRefused(f"{self._named(server)} refuses the batch: {words}")
        return self._nonsense(server, words)

    def _nonsense(self, server: Server, what: str) -> BadAnswer:
        return BadAnswer(f"{self._named(server)} does not answer as it should: {self._clean(what)}")

    def _told_at(self, server: Server) -> str:
        """Where a failure was, if there are several places."""
        return f"{self._clean(server.address.url)}: " if self._are_several else ""

    def _named(self, server: Server) -> str:
        return f"the reward server at {self._clean(server.address.url)}"

    def _clean(self, text: str) -> str:
        """Text from outside, fit for a message: without keys, which are looked for before it is cut."""
        return one_line(without(text, self._secrets), _LONGEST_TEXT)


def _encoded(batch: list[wire.Rollout]) -> bytes:
    """The request. Raises RewardError for what is no rollout, or has no JSON, as a label with an object in it."""
    for index, rollout in enumerate(batch):
        if not isinstance(rollout, wire.Rollout):
            raise RewardError(f"rollout {index} is a {type(rollout).__name__}, not a reward_server.wire.Rollout")
    # Unvalidated, since rollouts are so already; a subclass's further fields are not sent.
    request = wire.ScoreRequest.model_construct(rollouts=batch)
    try:
        return _REQUEST.dump_json(request, exclude_none=True)
    except ValueError:
        pass
    try:
        # As escapes JSON can carry the half surrogate pairs that a model may write, which the server lets through.
        return json.dumps(request.model_dump(exclude_none=True)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RewardError(f"the rollouts cannot be sent as JSON: {error}") from None


def _check(answer: wire.ScoreResponse, batch: Sequence[wire.Rollout]) -> None:
    """Raise Nonsense for what this batch cannot have earned."""
    for name, found in (("rewards", answer.rewards), ("scores", answer.scores), ("results", answer.results)):
        if len(found) != len(batch):
            raise Nonsense(f"{len(found)} {name} for {len(batch)} rollouts")
    told = zip(batch, answer.results, answer.rewards, answer.scores, strict=True)
    for index, (rollout, result, reward, score) in enumerate(told):
        if result.id != rollout.id:
            raise Nonsense(f"result {index} is that of {result.id!r}, not of {rollout.id!r}")
        if (reason := _contradiction(rollout, result, reward, score)) is not None:
            raise Nonsense(f"result {index}, of {rollout.id!r}, {reason}")


def _contradiction(rollout: wire.Rollout, result: wire.Result, reward: float, score: float) -> str | None:
    """What about a result cannot be, whatever the spec."""
    # The fields as they are: model_dump, which copies them, took half of the client's time.
    terms, certainty = vars(result.terms).values(), result.certainty
    bounds = () if certainty is None else (certainty.value, certainty.lower, certainty.upper)
    if not all(map(isfinite, (reward, score, result.reward, *terms, *bounds))):
        return "has a number that is not finite"
    if reward != result.reward or score != result.score:
        return "is not what rewards and scores say"
    if not isclose(earned := fsum(terms), reward, rel_tol=1e-9, abs_tol=1e-9):
        return f"has the reward {reward:g}, and terms of {earned:g}"
    if result.group != rollout.group:
        return f"is of the group {result.group!r}, not {rollout.group!r}"
    if (result.action is None) != (result.reason is not None):
        return "has an action and a reason why it has none, or neither"
    if result.reason is not None and (any(terms) or certainty is not None):
        return f"earns something, for all its reason {str(result.reason)!r}"
    if certainty is None:
        return None
    if not certainty.lower <= certainty.value <= certainty.upper:
        return f"has a certainty of {certainty.value:g} outside its bounds"
    sent = rollout.certainty.top_logprobs if rollout.certainty and certainty.source == "rollout" else None
    if sent is not None and certainty.tokens != len(sent):
        return f"has the certainty of {certainty.tokens} tokens, and {len(sent)} were sent"
    return None
