"""Load without faults: every call is made once, and every reward is compared."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from statistics import quantiles
from time import monotonic

import orjson
import uvloop

from tests.chaos.memory import resident, watched
from tests.chaos.outcome import Outcome
from tests.chaos.rollouts import Expected, native_body, openrlhf_body, rollouts
from tests.e2e.plain_http import PlainClient
from tests.reward_server.service.support import sample
from tests.servers import Server, running_server

SPEC = "shop-r1-no-rationale"
OPENRLHF_PAGE = 100_000
"""Bytes of a page, which OpenRLHF sends twice."""
BATCH = 1_024
MIB = 2**20


def one_rollout_a_call(calls: int, in_flight: int = 512) -> Outcome:
    """As stock OpenRLHF asks: 200 KB a call, a new connection for each, hundreds at once."""
    outcome = Outcome(f"{in_flight} calls of OpenRLHF's in flight")
    expected = rollouts(64, SPEC, OPENRLHF_PAGE)
    return _under_load(outcome, [(openrlhf_body(item.rollout), [item]) for item in expected], calls, in_flight)


def a_batch_a_call(calls: int, in_flight: int = 8) -> Outcome:
    """As a trainer of one's own may ask: one GRPO batch a call."""
    outcome = Outcome(f"{in_flight} batches of {BATCH:,} in flight")
    batches = [rollouts(BATCH, SPEC)]
    return _under_load(outcome, [(native_body(batch), batch) for batch in batches], calls, in_flight, keeps=True)


def large_batches(count: int, page_bytes: int) -> Outcome:
    """One large batch after another, and how long `/healthz` takes meanwhile."""
    batch = rollouts(count, SPEC, page_bytes)
    body = native_body(batch)
    outcome = Outcome(f"/healthz beside batches of {count:,} rollouts, {len(body) // MIB} MiB")
    with running_server("--spec", SPEC, "--certainty", "none") as server, watched(outcome, server.process.pid):
        began = monotonic()
        with _probed(outcome, f"{server.url}/healthz"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_post(outcome, server, [(body, batch)], 5, 1, keeps=False))
        outcome.seconds = monotonic() - began
    return outcome


def soak(seconds: float, in_flight: int = 64) -> Outcome:
    """Both kinds of load by turns, for long: whether memory grows from the first tenth of the time to the last."""
    outcome = Outcome(f"both loads for {seconds / 60:g} minutes")
    expected = rollouts(64, SPEC, OPENRLHF_PAGE)
    batch = rollouts(BATCH, SPEC)
    bodies = [(openrlhf_body(item.rollout), [item]) for item in expected] + [(native_body(batch), batch)]
    with running_server("--spec", SPEC, "--certainty", "none") as server, watched(outcome, server.process.pid):
        began = monotonic()
        levels = []
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            while monotonic() < began + seconds:
                runner.run(_post(outcome, server, bodies, 65 * in_flight, in_flight, keeps=False))
                levels.append((monotonic() - began, resident(server.process.pid) / MIB))
        outcome.seconds = monotonic() - began
        first = max(level for moment, level in levels if moment <= max(seconds / 10, levels[0][0]))
        last = max(level for moment, level in levels if moment >= min(0.9 * seconds, levels[-1][0]))
        outcome.notes.append(f"{first:,.0f} MiB in the first tenth of the time, {last:,.0f} MiB in the last")
    return outcome


def _under_load(
    outcome: Outcome,
    bodies: Sequence[tuple[bytes, Sequence[Expected]]],
    calls: int,
    in_flight: int,
    *,
    keeps: bool = False,
) -> Outcome:
    with running_server("--spec", SPEC, "--certainty", "none") as server, watched(outcome, server.process.pid):
        counted = _rollouts_counted(server)
        began = monotonic()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_post(outcome, server, bodies, calls, in_flight, keeps=keeps))
        outcome.seconds = monotonic() - began
        outcome.twice = int(_rollouts_counted(server) - counted) - (outcome.asked - outcome.lost)
    return outcome


async def _post(
    outcome: Outcome,
    server: Server,
    bodies: Sequence[tuple[bytes, Sequence[Expected]]],
    calls: int,
    in_flight: int,
    *,
    keeps: bool,
) -> None:
    client = PlainClient(server.url.removeprefix("http://"), "/score", {}, keeps=keeps)
    todo = islice(cycle(bodies), calls)
    last = monotonic()

    async def ask() -> None:
        nonlocal last
        for body, expected in todo:
            outcome.asked += len(expected)
            outcome.tries += 1
            try:
                answer = orjson.loads((await client.post(body)).body)
            except Exception as error:
                outcome.lost += len(expected)
                outcome.notes[:] = [repr(error)[:200]]
                continue
            outcome.longest_silence = max(outcome.longest_silence, monotonic() - last)
            last = monotonic()
            outcome.wrong += count_wrong(answer["rewards"], expected)

    await asyncio.gather(*(ask() for _ in range(in_flight)))


@contextmanager
def _probed(outcome: Outcome, url: str) -> Iterator[None]:
    """Note how long a URL takes to answer while the block runs."""
    command = (sys.executable, "-m", "tests.chaos.probe", url)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as probe:
        yield
        told, _ = probe.communicate()
    milliseconds = [1e3 * seconds for seconds in json.loads(told)]
    p99 = quantiles(milliseconds, n=100)[98]
    outcome.notes.append(f"{len(milliseconds):,} answers, p99 {p99:.0f} ms, at most {max(milliseconds):.0f} ms")


def count_wrong(rewards: Sequence[float], expected: Sequence[Expected]) -> int:
    """How many rewards are not those that have to be earned, to the last bit; all, where there are too many or few."""
    if len(rewards) != len(expected):
        return len(expected)
    return sum(reward != item.reward for reward, item in zip(rewards, expected, strict=True))


def _rollouts_counted(server: Server) -> float:
    reasons = ("valid", "not_json")
    return sum(sample(server, "shop_r1_rollouts_total", spec=SPEC, reason=reason) for reason in reasons)
