"""Calls of stock OpenRLHF that arrive together are read, scored and answered together.

It asks for each rollout by itself, hundreds at once. A processor does each step for all of them in half the time that
it takes to do all steps for one after the other, whose instructions and data push each other out of its caches. What a
call is answered does not depend on which others it is with.
"""

import asyncio
from typing import NamedTuple

from fastapi import Response

from reward_server.scoring import BatchError, Sample, Scorer
from reward_server.service import openrlhf
from reward_server.service.admission import Admission
from reward_server.service.answers import json_answer
from reward_server.service.certainty import NO_CERTAINTY
from reward_server.service.metrics import Metrics
from reward_server.service.problems import Problem, refused_batch
from reward_server.service.stock_body import StockBodies, StockBody
from reward_server.settings import Settings

_MOST_AT_ONCE = 32
"""Calls, before others get a turn: a page that was not seen before takes a fraction of a millisecond."""
_MANY = 32
_COMPANY_SECONDS = 0.005
"""For which a call waits for others where so many are in flight; each waits for longer than that in any case."""
_LARGE = 16 * 2**10
"""Bytes of a body that is read as soon as it is there."""

_Outcome = asyncio.Future[Response | None]


class _Waiting(NamedTuple):
    body: bytes | StockBody
    scorer: Scorer
    run: str
    outcome: _Outcome


class _Read(NamedTuple):
    rollout: Sample
    run: str
    outcome: _Outcome


class Together:
    """What came since the event loop last had time."""

    def __init__(self, settings: Settings, metrics: Metrics, stock_bodies: StockBodies, admission: Admission) -> None:
        self._settings = settings
        self._metrics = metrics
        self._stock_bodies = stock_bodies
        self._admission = admission
        self._waiting: list[_Waiting] = []

    async def answer(self, body: bytes, scorer: Scorer, run: str) -> Response | None:
        """The answer to a body, by a scorer that waits for nothing; None where it is not of stock OpenRLHF's form.

        Raises a 422 Problem for a bad label, or for what is over a limit.
        """
        # A page is compared while the processor still has it near.
        read = self._stock_bodies.read(body) if len(body) > _LARGE else body
        if read is None:
            return None
        loop = asyncio.get_running_loop()
        outcome: _Outcome = loop.create_future()
        self._waiting.append(_Waiting(read, scorer, run, outcome))
        if len(self._waiting) == _MOST_AT_ONCE or self._admission.inside < _MANY:
            loop.call_soon(self._answer_all)
        elif len(self._waiting) == 1:
            loop.call_later(_COMPANY_SECONDS, self._answer_all)
        return await outcome

    def _answer_all(self) -> None:
        waiting, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer_all)
        by_scorer: dict[Scorer, list[_Waiting]] = {}
        for call in waiting:
            by_scorer.setdefault(call.scorer, []).append(call)
        for scorer, calls in by_scorer.items():
            try:
                self._score(scorer, self._read(calls))
            except Exception as error:  # a bug of ours, which each of them answers with 500
                for call in calls:
                    _fail(call.outcome, error)

    def _read(self, calls: list[_Waiting]) -> list[_Read]:
        read = []
        bodies = [self._stock_bodies.read(call.body) if isinstance(call.body, bytes) else call.body for call in calls]
        for call, body in zip(calls, bodies, strict=True):
            try:
                if body is not None:
                    read.append(_Read(openrlhf.stock_rollout(body, self._settings), call.run, call.outcome))
                elif not call.outcome.done():
                    call.outcome.set_result(None)
            except Problem as problem:
                _fail(call.outcome, problem)
        return read

    def _score(self, scorer: Scorer, calls: list[_Read]) -> None:
        try:
            scored = scorer.score_at_once([call.rollout for call in calls])
        except Exception as error:
            if len(calls) > 1:
                for call in calls:
                    self._score(scorer, [call])
            elif isinstance(error, BatchError):
                _fail(calls[0].outcome, refused_batch(error, openrlhf.locate))
            else:  # a bug of ours
                _fail(calls[0].outcome, error)
            return
        for call, item in zip(calls, scored, strict=True):
            self._metrics.record([call.rollout], [item], scorer.spec, openrlhf.name, call.run)
        replies = [openrlhf.reply([], [item], scorer.spec) for item in scored]
        answers = [json_answer(reply, scorer.spec, NO_CERTAINTY) for reply in replies]
        for call, answer in zip(calls, answers, strict=True):
            if not call.outcome.done():
                call.outcome.set_result(answer)


def _fail(outcome: _Outcome, error: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(error)
