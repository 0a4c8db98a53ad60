"""One batch, from the bytes of its request to its answer: it waits its turn, is read, checked, scored and counted."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from reward_server.certainty.source import SourceError, SourceUnavailable
from reward_server.decoding import DecodeError, decode, pointer
from reward_server.scoring import BatchError, Rollout, Scored, Scorer
from reward_server.service import native, openrlhf
from reward_server.service.answers import json_answer
from reward_server.service.calls import Call
from reward_server.service.certainty import NO_CERTAINTY, certainty_headers
from reward_server.service.dialect import Dialect
from reward_server.service.large import LARGE_BYTES, LARGE_COUNT, LargeBatches
from reward_server.service.limits import Body, check_depth, check_weight, declared_size
from reward_server.service.problems import certainty_problem, refused_batch, unprocessable
from reward_server.service.state import ServerState

T = TypeVar("T")

_GRACE = 1.0
"""Seconds that a certainty source gets beyond the patience, which is its own as well, to say why it has no answer."""


async def score_batch(request: Request, call: Call, state: ServerState, scorer: Scorer) -> Response:
    """Every reward of a batch, or a Problem that says why there is none.

    It has REWARD_PATIENCE to get its turn, to arrive, and to get its certainties, unless these are computed here.
    """
    deadline = asyncio.get_running_loop().time() + state.settings.patience + _GRACE
    size = declared_size(call.content_length, state.settings)
    if not state.admission.enter(size):
        await state.admission.wait(size, state.settings.patience)
    try:
        body = Body(request, state.settings)
        read = await body.read(LARGE_BYTES if state.large is not None else state.settings.max_body_bytes)
        if state.large is not None and body.size > LARGE_BYTES:
            return await _pass_on(request, state.large, read, body)
        whole = read[0] if len(read) == 1 else b"".join(read)
        check_weight(whole, state.settings)
        if not scorer.may_wait and state.stock_bodies.begins(whole):
            answer = await state.together.answer(whole, scorer, call.run)
            if answer is not None:
                return answer
        found = _rollouts(whole, state)
        if found is None:
            assert state.large is not None
            return await _pass_on(request, state.large, read, body)
        # Texts that wait for their certainty are not kept a second time.
        read.clear()
        del whole
        dialect, rollouts = found
        try:
            if not scorer.may_wait:
                scored = scorer.score_at_once(rollouts)
            elif state.settings.certainty == "local":
                scored = await _while_connected(request, scorer.score(rollouts))
            else:
                scored = await _while_connected(request, _score_in_time(rollouts, scorer, deadline))
        except BatchError as error:
            raise refused_batch(error, dialect.locate) from None
        except SourceError as error:
            raise certainty_problem(error) from None
    finally:
        state.admission.leave(size)
    state.metrics.record(rollouts, scored, scorer.spec, dialect.name, call.run)
    headers = certainty_headers(scored, scorer) if scorer.may_wait else NO_CERTAINTY
    return json_answer(dialect.reply(rollouts, scored, scorer.spec), scorer.spec, headers)


async def _score_in_time(rollouts: Sequence[Rollout], scorer: Scorer, deadline: float) -> list[Scored]:
    try:
        async with asyncio.timeout_at(deadline):
            return await scorer.score(rollouts)
    except TimeoutError:
        reason = "waiting for a turn, for the body and for certainties took longer than REWARD_PATIENCE allows"
        raise SourceUnavailable(reason) from None


def _rollouts(body: bytes, state: ServerState) -> tuple[Dialect, Sequence[Rollout]] | None:
    """The rollouts of a body; None for so many that the process for large batches scores them."""
    settings = state.settings
    stock = state.stock_bodies.read(body)
    if stock is not None:
        return openrlhf, [openrlhf.stock_rollout(stock, settings)]
    message = _decode(body)
    dialect = _dialect(message)
    if dialect.count(message, settings) > LARGE_COUNT and state.large is not None:
        return None
    check_depth(message, dialect.flat, settings)
    return dialect, dialect.to_rollouts(_validate(dialect, message), settings)


async def _pass_on(request: Request, large: LargeBatches, read: list[bytes], body: Body) -> Response:
    """The answer of the process for large batches."""
    arrived = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        for piece in read:
            yield piece
        read.clear()
        while not body.is_whole:
            for piece in await body.read(body.size):
                # In a chunked body, nothing would be its end.
                if piece:
                    yield piece
        arrived.set()

    return await _while_connected(request, large.score(request, pieces()), arrived)


def _decode(body: bytes) -> dict[str, Any]:
    try:
        message = decode(body)
    except DecodeError as error:
        raise unprocessable("bad-json", (error.pointer, error.reason)) from None
    if not isinstance(message, dict):
        raise unprocessable("bad-request", ("", "the body is JSON, but not an object"))
    return message


def _dialect(message: dict[str, Any]) -> Dialect:
    is_native, is_openrlhf = "rollouts" in message, "query" in message
    if is_native == is_openrlhf:
        reason = "send either 'rollouts', or OpenRLHF's 'query', 'prompts' and 'labels'"
        raise unprocessable("bad-request", ("", f"{reason}; this body has {'both' if is_native else 'neither'}"))
    return native if is_native else openrlhf


def _validate(dialect: Dialect, message: dict[str, Any]) -> Any:
    try:
        return dialect.request_type.model_validate(message)
    except ValidationError as error:
        faults = [(pointer(item["loc"]), item["msg"]) for item in error.errors(include_url=False, include_input=False)]
        raise unprocessable("bad-request", *faults) from None


async def _while_connected(request: Request, work: Coroutine[Any, Any, T], arrived: asyncio.Event | None = None) -> T:
    """What the work comes to. Raises ClientDisconnect, and ends the work, when nobody is left to read it.

    Work that reads the request's body itself sets `arrived` when it has it all.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request, arrived))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(request: Request, arrived: asyncio.Event | None) -> None:
    if arrived is not None:
        await arrived.wait()
    while (await request.receive())["type"] != "http.disconnect":
        pass
