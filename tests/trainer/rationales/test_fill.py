"""The run: order, memory, concurrency, resuming, and what ends it; over a real socket."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.trainer.rationales.endpoints import (
    Behaviour,
    Hang,
    Reply,
    answering,
    completion,
    endpoint,
    error,
    sentence,
)
from trainer.rationales.answer import Failure
from trainer.rationales.cost import FREE, Budget, BudgetSpent, Prices, Tokens
from trainer.rationales.endpoint import EndpointError, EndpointSettings
from trainer.rationales.fill import TRIES, Run, fill
from trainer.rationales.journal import open_journal
from trainer.rationales.request import Asking
from trainer.rationales.stop import Stop
from trainer.rationales.tally import Tally
from trainer.sessions.schema import Session

DOLLAR_A_TOKEN = Prices(1e6, 1e6)


def session(number: int, *rationales: str | None) -> Session:
    """A session whose steps have these rationales."""
    steps = [
        {"html": f'<a name="a{index}">x</a>', "action": {"type": "click", "name": f"a{index}"}, "rationale": rationale}
        for index, rationale in enumerate(rationales)
    ]
    return Session.model_validate({"session": f"s{number:04}", "steps": steps, "meta": {"kept": [1, None]}})


@contextmanager
def a_run(url: str, path: Path, **fields: Any) -> Iterator[Run]:
    asking = fields.pop("asking", Asking("a-model"))
    budget = fields.pop("budget", None) or Budget(FREE, inf)
    settings = EndpointSettings(url, "a-model", timeout=20, retries=0)
    with open_journal(path / "out.journal") as journal:
        yield Run(asking, settings, journal, budget, Tally(), **fields)


def filled(url: str, path: Path, sessions: Iterable[Session], **fields: Any) -> tuple[list[Session], Tally]:
    """What a run writes, and its tally."""
    written: list[Session] = []
    with a_run(url, path, **fields) as run:
        asyncio.run(fill(run, sessions, written.append))
    return written, run.tally


def stopped(url: str, path: Path, sessions: Iterable[Session], **fields: Any) -> tuple[Stop, Tally]:
    """What ends a run, and its tally."""
    with a_run(url, path, **fields) as run, pytest.raises(Stop) as raised:
        asyncio.run(fill(run, sessions, lambda _: None))
    return raised.value, run.tally


def why(each: Session) -> list[str | None]:
    return [step.rationale for step in each.steps]


@pytest.mark.parametrize("concurrency", [1, 2, 16])
def test_what_is_missing_is_filled_and_nothing_else_changes(tmp_path: Path, concurrency: int) -> None:
    before = [session(0, None, "Mine.", None), session(1, "All."), session(2, None, None, None), session(3, "Mine.")]
    with endpoint() as server:
        after, tally = filled(server.url, tmp_path, before, concurrency=concurrency)
    assert [each.session for each in after] == ["s0000", "s0001", "s0002", "s0003"]
    assert [rationale for each in after for rationale in why(each) if rationale is None] == []
    assert (why(after[0])[1], why(after[1]), why(after[3])) == ("Mine.", ["All."], ["Mine."])
    assert server.requests == tally.filled == tally.answers == 5
    assert (tally.kept, tally.sessions, tally.tokens) == (3, 4, Tokens(500, 50))
    for old, new in zip(before, after, strict=True):
        cleared = [step.model_copy(update={"rationale": None}) for step in new.steps]
        assert new.model_copy(update={"steps": cleared}) == old.model_copy(
            update={"steps": [step.model_copy(update={"rationale": None}) for step in old.steps]}
        )


def test_every_rationale_goes_to_the_step_it_was_asked_for(tmp_path: Path) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        reply = completion(body["messages"][1]["content"].split('"name": "')[-1].split('"')[0])
        reply.delay = 0.002 * (number % 5)
        return reply

    with endpoint(behaviour) as server:
        after, _ = filled(server.url, tmp_path, [session(number, *[None] * 5) for number in range(20)])
    assert [why(each) for each in after] == [["a0", "a1", "a2", "a3", "a4"]] * 20


def test_sessions_come_out_in_the_order_they_went_in_however_long_each_takes(tmp_path: Path) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        reply = completion(sentence(body))
        reply.delay = 0.05 * (7 - number % 8)
        return reply

    with endpoint(behaviour) as server:
        after, _ = filled(server.url, tmp_path, [session(number, None) for number in range(24)], concurrency=8)
    assert [each.session for each in after] == [f"s{number:04}" for number in range(24)]


def test_questions_in_flight_are_as_many_as_allowed_and_never_more(tmp_path: Path) -> None:
    all_there = Barrier(8)

    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        if number < all_there.parties:
            all_there.wait(timeout=60)
        reply = completion(sentence(body))
        reply.delay = 0.02
        return reply

    with endpoint(behaviour) as server:
        filled(server.url, tmp_path, [session(number, None, None) for number in range(40)], concurrency=8)
    assert server.most_in_flight == 8


@pytest.mark.parametrize("concurrency", [1, 4])
def test_at_most_twice_as_many_sessions_are_held(tmp_path: Path, concurrency: int) -> None:
    held = most = 0

    def reading() -> Iterator[Session]:
        nonlocal held, most
        for number in range(60):
            held += 1
            most = max(most, held)
            yield session(number, None) if number % 7 == 0 else session(number, "Mine.")

    def write(_: Session) -> None:
        nonlocal held
        held -= 1

    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        reply = completion(sentence(body))
        reply.delay = 0.02
        return reply

    with endpoint(behaviour) as server, a_run(server.url, tmp_path, concurrency=concurrency) as run:
        asyncio.run(fill(run, reading(), write))
    assert held == 0
    assert most == 2 * concurrency


def test_a_second_run_asks_nothing_and_writes_the_same(tmp_path: Path) -> None:
    sessions = [session(number, None, "Mine.", None) for number in range(10)]
    with endpoint() as server:
        first, _ = filled(server.url, tmp_path, sessions)
        second, tally = filled(server.url, tmp_path, sessions)
    assert first == second
    assert (server.requests, tally.reused, tally.filled, tally.answers) == (20, 20, 0, 0)


def test_another_model_or_page_is_asked_anew(tmp_path: Path) -> None:
    one = session(0, None)
    changed = one.model_copy(update={"steps": [one.steps[0].model_copy(update={"html": "<p>new</p>"})]})
    with endpoint() as server:
        filled(server.url, tmp_path, [one])
        filled(server.url, tmp_path, [one], asking=Asking("another-model"))
        filled(server.url, tmp_path, [changed])
        assert server.requests == 3
        _, tally = filled(server.url, tmp_path, [one, changed])
    assert (server.requests, tally.reused) == (3, 2)


def test_to_replace_is_to_ask_about_every_step(tmp_path: Path) -> None:
    with endpoint() as server:
        (after,), tally = filled(server.url, tmp_path, [session(0, "Old.", None)], asking=Asking("m", replace=True))
    assert "Old." not in why(after)
    assert (tally.kept, tally.filled) == (0, 2)


@pytest.mark.parametrize(("unusable", "asked"), [(0, 1), (1, 2), (2, 3), (3, 3)])
def test_an_answer_that_cannot_be_used_is_asked_for_again_twice(tmp_path: Path, unusable: int, asked: int) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        return completion("Two\nlines." if number < unusable else "I need it.")

    with endpoint(behaviour) as server:
        (after,), tally = filled(server.url, tmp_path, [session(0, None)])
    assert why(after) == ["I need it." if unusable < TRIES else None]
    assert server.requests == tally.answers == asked
    assert tally.tokens == Tokens(100 * asked, 10 * asked), "every answer was paid for"


def test_a_step_that_fails_keeps_what_it_had_and_the_rest_goes_on(tmp_path: Path) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        last = body["messages"][1]["content"].split('"name": "')[-1].split('"')[0]
        return completion("I want a hat that", "length") if last == "a1" else completion("I need it.")

    replacing = Asking("m", replace=True)
    with endpoint(behaviour) as server:
        (first,), tally = filled(server.url, tmp_path, [session(0, None, None, None)])
        (second,), _ = filled(server.url, tmp_path, [session(0, "Old.", "Old.", "Old.")], asking=replacing)
    assert why(first) == ["I need it.", None, "I need it."]
    assert why(second) == ["I need it.", "Old.", "I need it."]
    assert tally.failed == {Failure.CUT_SHORT: 1}
    assert tally.first_failures == [("s0000", 2, Failure.CUT_SHORT, "I want a hat that")]


def test_a_rerun_asks_only_for_what_failed(tmp_path: Path) -> None:
    broken = True

    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        return error(500, "it broke") if broken and number % 3 == 0 else answering(body, number)

    sessions = [session(number, None) for number in range(9)]
    with endpoint(behaviour) as server:
        _, tally = filled(server.url, tmp_path, sessions, concurrency=1)
        assert tally.failed == {Failure.SERVER_ERROR: 3}
        broken = False
        after, tally = filled(server.url, tmp_path, sessions, concurrency=1)
    assert (tally.reused, tally.filled, server.requests) == (6, 3, 12)
    assert [each for each in after if None in why(each)] == []


def test_only_the_first_failures_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    with endpoint(lambda _, number: completion("")) as server:
        _, tally = filled(server.url, tmp_path, [session(number, None) for number in range(30)])
    assert tally.failed == {Failure.EMPTY: 30}
    assert len(tally.first_failures) == 20


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (lambda _, number: error(500, "it broke"), "the last: 500: it broke"),
        (lambda _, number: Reply(b"<html>Welcome</html>"), "the last: no chat completion, but '<html>Welcome</html>'"),
    ],
)
def test_a_server_that_answers_nobody_ends_the_run(
    tmp_path: Path, behaviour: Callable[[dict[str, Any], int], Behaviour], reason: str
) -> None:
    with endpoint(behaviour) as server:
        stop, _ = stopped(server.url, tmp_path, [session(number, None) for number in range(100)], concurrency=4)
    assert isinstance(stop, EndpointError)
    assert str(stop) == f"5 requests in a row to {server.url} got no answer; {reason}"
    assert server.requests < 5 + 4 + 4


def test_what_would_fail_every_request_ends_the_run_at_once_and_keeps_what_came_before(tmp_path: Path) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Behaviour:
        if number < 5:
            return answering(body, number)
        return Hang() if number > 5 else error(401, "the key was withdrawn")

    sessions = [session(number, None) for number in range(50)]
    with endpoint(behaviour) as server:
        stop, tally = stopped(server.url, tmp_path, sessions, concurrency=4)
        assert "the key was withdrawn" in str(stop)
        assert 5 <= server.requests <= 5 + 4
        server.behaviour = answering
        before = server.requests
        _, tally = filled(server.url, tmp_path, sessions)
    # Of the five that were answered, three may still have been on their way when the sixth was refused.
    assert 5 - 3 <= tally.reused <= 5
    assert server.requests - before == 50 - tally.reused


def test_the_limit_on_cost_is_kept_whatever_is_in_flight(tmp_path: Path) -> None:
    # An answer costs 110 of these dollars, and is taken for the whole length of its question until it comes.
    sessions = [session(number, None) for number in range(200)]
    budget = Budget(DOLLAR_A_TOKEN, 10_000)
    with endpoint() as server:
        stop, tally = stopped(server.url, tmp_path, sessions, budget=budget)
        assert isinstance(stop, BudgetSpent)
        worst = int(str(stop).split("could cost $")[1].replace(",", "").split(".")[0])
        spent = 110 * tally.answers
        assert 10_000 - worst < spent <= 10_000
        _, after = filled(server.url, tmp_path, sessions, budget=Budget(DOLLAR_A_TOKEN, 1e6))
    assert after.reused == tally.filled
    assert server.requests == 200


def test_answers_without_a_count_of_tokens_are_taken_at_their_worst(tmp_path: Path) -> None:
    sessions = [session(number, None) for number in range(20)]
    budget = Budget(DOLLAR_A_TOKEN, 10_000)
    with endpoint(lambda _, number: completion("I need it.", usage={})) as server:
        stop, tally = stopped(server.url, tmp_path, sessions, budget=budget)
    assert isinstance(stop, BudgetSpent)
    assert tally.unreported == tally.answers == server.requests
    assert tally.tokens == Tokens(0, 0)


def test_a_step_of_a_hundred_sessions_and_a_session_of_a_hundred_steps_are_the_same_work(tmp_path: Path) -> None:
    with endpoint() as server:
        (long,), _ = filled(server.url, tmp_path, [session(0, *[None] * 100)], concurrency=3)
    assert server.requests == 100
    assert None not in why(long)


def test_an_error_of_the_output_is_not_hidden(tmp_path: Path) -> None:
    def full(_: Session) -> None:
        raise OSError("disk full")

    with endpoint() as server, a_run(server.url, tmp_path) as run, pytest.raises(OSError, match="disk full"):
        asyncio.run(fill(run, [session(0, None)], full))


def test_the_caller_is_told_of_every_step(tmp_path: Path) -> None:
    seen: list[int] = []
    with endpoint() as server, open_journal(tmp_path / "j") as journal:
        tally = Tally()
        settings = EndpointSettings(server.url, "m", retries=0)
        run = Run(Asking("m"), settings, journal, Budget(FREE, inf), tally, changed=lambda: seen.append(tally.done))
        asyncio.run(fill(run, [session(0, None, None, "Mine."), session(1, None)], lambda _: None))
    assert seen == [1, 2, 3]
