"""The run: asks for what is missing, many questions at a time, and passes sessions on in the order they came."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from trainer.rationales.answer import Answer, Failure
from trainer.rationales.cost import Budget, Tokens
from trainer.rationales.endpoint import EndpointError, EndpointSettings, Unanswered, open_endpoint
from trainer.rationales.journal import Journal, Key
from trainer.rationales.request import Asking, Request, make_request
from trainer.rationales.tally import StepFailure, Tally
from trainer.sessions.prompt import Message
from trainer.sessions.schema import Session

TRIES = 3
"""How often a step is asked about at most, where its answers cannot be used."""

_FEWEST_IN_A_ROW = 2

Ask = Callable[[Sequence[Message]], Awaitable[Answer]]
"""Messages -> what the model says; `Endpoint.ask`."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a run asks, and what it keeps account with."""

    asking: Asking
    endpoint: EndpointSettings
    journal: Journal
    budget: Budget
    tally: Tally
    concurrency: int = 16
    """Questions in flight at a time; at most twice as many sessions are held."""
    changed: Callable[[], None] = lambda: None
    """Called whenever a step has been seen to."""


async def fill(run: Run, sessions: Iterable[Session], write: Callable[[Session], object]) -> None:
    """Fill `sessions` and `write` each, in order; a step that fails keeps what it had.

    Raises Stop where going on is pointless or not allowed.
    """
    try:
        async with open_endpoint(run.endpoint) as endpoint, asyncio.TaskGroup() as group:
            await _Filler(run, endpoint.ask, group).fill(sessions, write)
    except* Exception as errors:
        error = _first(errors)
    else:
        return
    raise error


@dataclass
class _Filling:
    """A session whose rationales are being asked for."""

    session: Session
    found: dict[int, str] = field(default_factory=dict)
    """Rationales by the index of their step."""
    open: int = 0
    """Questions that are still in flight."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while none is."""

    def filled(self) -> Session:
        steps = list(self.session.steps)
        for index, rationale in self.found.items():
            steps[index] = steps[index].model_copy(update={"rationale": rationale})
        return self.session.model_copy(update={"steps": steps})


class _Filler:
    def __init__(self, run: Run, ask: Ask, group: asyncio.TaskGroup) -> None:
        self._run = run
        self._tally = run.tally
        self._ask = ask
        self._group = group
        self._places = asyncio.Semaphore(run.concurrency)
        self._unanswered_in_a_row = 0

    async def fill(self, sessions: Iterable[Session], write: Callable[[Session], object]) -> None:
        window: deque[_Filling] = deque()
        for session in sessions:
            filling = _Filling(session)
            window.append(filling)
            await self._start(filling)
            while window and (len(window) >= 2 * self._run.concurrency or not window[0].open):
                await self._finish(window.popleft(), write)
        while window:
            await self._finish(window.popleft(), write)

    async def _finish(self, filling: _Filling, write: Callable[[Session], object]) -> None:
        if filling.open:
            await filling.settled.wait()
        write(filling.filled())
        self._tally.sessions += 1
        # Sessions without questions must not keep the answers of others waiting.
        await asyncio.sleep(0)

    async def _start(self, filling: _Filling) -> None:
        """Ask what the journal does not know, as places in flight come free."""
        session, run = filling.session, self._run
        for index, step in enumerate(session.steps):
            if not run.asking.wants(step):
                self._tally.kept += 1
                continue
            request = make_request(session, index, run.asking)
            self._tally.pages_cut += request.is_cut
            key = Key(session.session, index + 1, request.digest)
            if (known := run.journal.rationale(key)) is not None:
                filling.found[index] = known
                self._tally.reused += 1
                run.changed()
                continue
            await self._places.acquire()
            filling.open += 1
            filling.settled.clear()
            self._group.create_task(self._fill_step(filling, key, request))

    async def _fill_step(self, filling: _Filling, key: Key, request: Request) -> None:
        try:
            answer = await self._answer(key, request)
        finally:
            self._places.release()
        if answer.rationale is not None:
            filling.found[key.step - 1] = answer.rationale
            self._tally.filled += 1
        elif answer.failure is not None:
            self._tally.add_failure(StepFailure(key.session, key.step, answer.failure, answer.said))
        self._run.changed()
        filling.open -= 1
        if not filling.open:
            filling.settled.set()

    async def _answer(self, key: Key, request: Request) -> Answer:
        """The first answer of some tries that can be used, else the last."""
        worst = Tokens(request.most_tokens(), self._run.endpoint.max_tokens)
        for _ in range(TRIES):
            async with self._run.budget.reserve(worst) as reservation:
                try:
                    answer = await self._ask(request.messages)
                except Unanswered as error:
                    self._note_unanswered(str(error))
                    return Answer(None, error.failure, str(error))
                self._run.journal.add(key, self._run.asking.model, answer)
                # An answer whose tokens the server does not count is taken to have cost all that it could.
                reservation.used = self._count(answer) or worst
            if answer.rationale is not None:
                break
        return answer

    def _count(self, answer: Answer) -> Tokens | None:
        """Count an answer, and its tokens where the server says how many."""
        if answer.failure is Failure.NOT_A_COMPLETION:
            self._note_unanswered(f"no chat completion, but {answer.said!r}")
        else:
            self._unanswered_in_a_row = 0
        self._tally.answers += 1
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            self._tally.unreported += 1
            return None
        used = Tokens(answer.prompt_tokens, answer.completion_tokens)
        self._tally.tokens = self._tally.tokens.plus(used)
        return used

    def _note_unanswered(self, reason: str) -> None:
        self._unanswered_in_a_row += 1
        if self._unanswered_in_a_row > max(_FEWEST_IN_A_ROW, self._run.concurrency):
            raise EndpointError(
                f"{self._unanswered_in_a_row} requests in a row to {self._run.endpoint.address} got no answer; "
                f"the last: {reason}"
            )


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """The first of a group of errors, however deep."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
