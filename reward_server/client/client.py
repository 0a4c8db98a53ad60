"""Asks for the rewards of a batch until it has them all, or until one error says why it has none."""

import json
from asyncio import timeout
from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from math import fsum, isclose, isfinite
from types import TracebackType
from typing import Self

from reward_server import wire
from reward_server.client.errors import BadAnswer, RewardError, RewardRefused, RewardUnavailable, SpecMismatch
from reward_server.client.options import ClientOptions, address
from reward_server.client.problem import describe
from reward_server.http_sessions import Nonsense, Reply, Sessions, TooLong, new_client, one_line, read_message, without
from reward_server.patience import Patience, Transient

_MOST_BYTES = 64 * 2**20
"""Of an answer, above what it repeats of its request."""
_LEAST_SILENCE = 30.0
"""Seconds without a byte, below which no server is given up for lost; above, it is a third of the patience."""
_LONGEST_TEXT = 500
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


class RewardClient:
    """One server, asked for any number of batches at once, from several event loops one after the other.

    The environment's proxies are used as httpx does, but never for a loopback address.
    """

    def __init__(self, options: ClientOptions) -> None:
        """Connects to nothing yet. Raises RewardError for options that cannot be used."""
        self._address = address(options)
        self._name = f"the reward server at {self._clean(self._address.url)}"
        self._patience = options.patience
        client = partial(
            new_client,
            self._address.url,
            self._address.headers,
            options.connections,
            silence=max(_LEAST_SILENCE, options.patience / 3),
            proxies=not self._address.is_loopback,
        )
        try:
            client()
        except Exception as error:  # whatever is wrong with the proxies and certificates that the environment names
            raise RewardError(f"no client can be made for {self._name}: {self._clean(str(error))}") from None
        self._sessions = Sessions(client, options.connections)
        self._last: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def score(self, rollouts: Sequence[wire.Rollout]) -> wire.ScoreResponse:
        """The rewards of n rollouts: n of them, finite, in order, by the pinned spec.

        Asks again for as long as the server is away or fails; scoring is pure, so that this is safe. Raises
        RewardUnavailable once the patience is over; at once RewardRefused, SpecMismatch and BadAnswer, and RewardError
        for rollouts that JSON has no words for.
        """
        batch = list(rollouts)
        content = _encoded(batch)
        patience = Patience()
        try:
            async with timeout(self._patience):
                reply = await patience.insist(lambda: self._attempt(content, batch))
        except TimeoutError:
            last = patience.last or self._last
            raise RewardUnavailable(
                f"{self._name} gave no rewards within {self._patience:g} s; "
                f"{f'the last that went wrong: {last}' if last else 'it answers nothing'}"
            ) from None
        return reply

    async def close(self) -> None:
        """Close the connections; the next batch opens new ones."""
        await self._sessions.close()

    async def _attempt(self, content: bytes, batch: Sequence[wire.Rollout]) -> wire.ScoreResponse:
        """The same, asked once. Raises Transient for what is worth another try."""
        most = _MOST_BYTES + 2 * len(content)
        try:
            async with self._sessions.here().slots:
                reply = await self._sessions.ask("POST", self._address.url, content, most)
            if reply.status in _PASSING or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Transient(describe(reply, batch, self._clean), reply.retry_after)
            if reply.status != HTTPStatus.OK:
                raise self._refusal(reply, batch)
            answer = read_message(reply.content, wire.ScoreResponse, strict=True)
            _check(answer, batch)
        except Transient as error:
            self._last = self._clean(str(error))
            raise Transient(self._last, error.retry_after) from None
        except TooLong:
            raise self._nonsense(f"more than {most:,} bytes") from None
        except Nonsense as error:
            raise self._nonsense(str(error)) from None
        self._last = None
        for pin in self._address.pins:
            if answer.spec.digest != pin:
                scored = self._clean(f"{answer.spec.name} ({answer.spec.digest})")
                raise SpecMismatch(f"{self._name} scored with {scored}, not with the pinned {pin}")
        return answer

    def _refusal(self, reply: Reply, batch: Sequence[wire.Rollout]) -> RewardError:
        words = describe(reply, batch, self._clean)
        if reply.status == HTTPStatus.PRECONDITION_FAILED:
            return SpecMismatch(f"{self._name} scores with another spec: {words}")
        if reply.status >= HTTPStatus.BAD_REQUEST:
            return RewardRefused(f"{self._name} refuses the batch: {words}")
        return self._nonsense(words)

    def _nonsense(self, what: str) -> BadAnswer:
        return BadAnswer(f"{self._name} does not answer as it should: {self._clean(what)}")

    def _clean(self, text: str) -> str:
        """Text from outside, fit for a message: without keys, which are looked for before it is cut."""
        return one_line(without(text, self._address.secrets), _LONGEST_TEXT)


def _encoded(batch: list[wire.Rollout]) -> bytes:
    """The request. Raises RewardError for what is no JSON, such as an object of some class in a label."""
    # Unvalidated, since rollouts are so already; a subclass's further fields are not sent.
    request = wire.ScoreRequest.model_construct(rollouts=batch)
    try:
        return request.model_dump_json(exclude_none=True).encode()
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
    for index, (rollout, result) in enumerate(zip(batch, answer.results, strict=True)):
        if result.id != rollout.id:
            raise Nonsense(f"result {index} is that of {result.id!r}, not of {rollout.id!r}")
        if not all(map(isfinite, (answer.rewards[index], answer.scores[index], *_numbers(result)))):
            raise Nonsense(f"result {index}, of {rollout.id!r}, has a number that is not finite")
        if (answer.rewards[index], answer.scores[index]) != (result.reward, result.score):
            raise Nonsense(f"result {index}, of {rollout.id!r}, is not what rewards and scores say")
        if (reason := _contradiction(rollout, result)) is not None:
            raise Nonsense(f"result {index}, of {rollout.id!r}, {reason}")


def _contradiction(rollout: wire.Rollout, result: wire.Result) -> str | None:
    """What about a result cannot be, whatever the spec."""
    earned, certainty = fsum(result.terms.model_dump().values()), result.certainty
    if not isclose(earned, result.reward, rel_tol=1e-9, abs_tol=1e-9):
        return f"has the reward {result.reward:g}, and terms of {earned:g}"
    if result.group != rollout.group:
        return f"is of the group {result.group!r}, not {rollout.group!r}"
    if (result.action is None) != (result.reason is not None):
        return "has an action and a reason why it has none, or neither"
    if result.reason is not None and (any(result.terms.model_dump().values()) or certainty is not None):
        return f"earns something, for all its reason {str(result.reason)!r}"
    if certainty is None:
        return None
    if not certainty.lower <= certainty.value <= certainty.upper:
        return f"has a certainty of {certainty.value:g} outside its bounds"
    sent = rollout.certainty.top_logprobs if rollout.certainty and certainty.source == "rollout" else None
    if sent is not None and certainty.tokens != len(sent):
        return f"has the certainty of {certainty.tokens} tokens, and {len(sent)} were sent"
    return None


def _numbers(result: wire.Result) -> Iterator[float]:
    yield result.reward
    yield from result.terms.model_dump().values()
    if result.certainty is not None:
        yield from (result.certainty.value, result.certainty.lower, result.certainty.upper)
