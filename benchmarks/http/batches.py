"""A GRPO batch a call: beside the peers, by stage, and from one rollout to the most that a call may bring."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.http.load import SPEC, ours, peer, post
from benchmarks.scoring_core import LONG_NAMES, make_batch
from reward_server.decoding import decode
from reward_server.scoring import Rollout, Scored
from reward_server.service import limits, native
from reward_server.service.garbage import look_less
from reward_server.service.state import ServerState, create_state, read_specs
from reward_server.settings import Settings
from tests.chaos.memory import resident, watched
from tests.chaos.outcome import Outcome

BATCH = 1_024
COUNTS = (1, 16, 256, 1_024, 4_096, 16_384)
ROUNDS, SECONDS = 5, 2
PEERS = ("floor", "serve_rm", "route")


class Size(NamedTuple):
    """Of a batch of `count` rollouts; medians of the rounds."""

    rollouts: int
    body_bytes: int
    microseconds: float
    """Per rollout, on the clock, one call after the other."""
    memory_mib: float
    """That the server's processes had at most, above what they had before: large bodies have a process of their own."""


def body(count: int) -> bytes:
    """Rollouts in groups of 8 that share a label, with completions of about 760 bytes."""
    rng = random.Random(1)
    batch = [rollout for _ in range(-(-count // BATCH)) for rollout in make_batch(rng, LONG_NAMES, 1.0)][:count]
    return orjson.dumps({"rollouts": [rollout.model_dump(exclude_none=True) for rollout in batch]})


def beside_peers() -> Table:
    """Calls per second."""
    asked = body(BATCH)
    names = ("ours", *PEERS)
    with ExitStack() as stack:
        servers = {"ours": stack.enter_context(ours()), **{name: stack.enter_context(peer(name)) for name in PEERS}}
        rounds = [
            {name: post(servers[name].url, [asked], 4, SECONDS).calls for name in names}
            for _ in track(range(ROUNDS), "a batch a call", console=Console(stderr=True), transient=True)
        ]
    table = Table(
        title=f"Calls per second with {BATCH:,} rollouts, {len(asked) / 1e6:.1f} MB, median of {ROUNDS} rounds"
    )
    headings = {"floor": "floor", "ours": "ours", "serve_rm": "OpenRLHF-style", "route": "FastAPI, orjson"}
    for heading in (*headings.values(), "× peer"):
        table.add_column(heading, justify="right")
    times = median(row["ours"] / row["serve_rm"] for row in rounds)
    table.add_row(*(f"{median(row[name] for row in rounds):,.1f}" for name in headings), f"{times:.1f} ×")
    return table


def by_stage() -> Table:
    """Where the time of such a call goes, in one process without a socket."""
    settings = Settings(spec=SPEC, certainty="none")
    state = create_state(settings, read_specs(settings))
    look_less()
    asked = body(BATCH)
    stages = [_stages(asked, state) for _ in range(5 * ROUNDS)]
    taken = {name: median(stage[name] for stage in stages) for name in stages[0]}
    table = Table(title=f"A batch of {BATCH:,} by stage, median of {5 * ROUNDS} rounds")
    for heading in ("stage", "ms", "share"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for name, milliseconds in taken.items():
        table.add_row(name, f"{milliseconds:.2f}", f"{milliseconds / sum(taken.values()):.0%}")
    return table


def _stages(asked: bytes, state: ServerState) -> dict[str, float]:
    milliseconds: dict[str, float] = {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        begin = perf_counter()
        result = run()
        milliseconds[name] = 1_000 * (perf_counter() - begin)
        return result

    scorer = state.default
    message = timed("decode JSON", lambda: decode(asked))
    request = timed("validate", lambda: native.request_type.model_validate(message))
    timed("limits", lambda: limits.check_depth(message, native.flat, state.settings))
    rollouts = timed("limits of texts", lambda: native.to_rollouts(request, state.settings))
    scored = timed("score", lambda: scorer.score_at_once(rollouts))
    reply = timed("build the answer", lambda: native.reply(rollouts, scored, scorer.spec))
    timed("encode JSON", lambda: orjson.dumps(reply))
    with asyncio.Runner() as runner:
        runner.get_loop()
        timed("count", lambda: runner.run(_count(state, rollouts, scored)))
    return milliseconds


async def _count(state: ServerState, rollouts: Sequence[Rollout], scored: Sequence[Scored]) -> None:
    state.metrics.record(rollouts, scored, state.default.spec, native.name, "")
    state.metrics.publish()


def by_size() -> list[Size]:
    """Time and memory for batches of any size."""
    sizes = []
    for count in track(COUNTS, "from one rollout to the most", console=Console(stderr=True), transient=True):
        asked = body(count)
        outcome = Outcome("memory")
        with ours(cpus="0,1") as server, watched(outcome, server.pid):
            before = resident(server.pid) / 2**20
            taken = [1e6 / (post(server.url, [asked], 1, SECONDS).calls * count) for _ in range(3)]
        sizes.append(Size(count, len(asked), median(taken), outcome.peak_mib - before))
    return sizes


def size_table(sizes: Sequence[Size]) -> Table:
    table = Table(title="One call after the other")
    for heading in ("rollouts a call", "body, MB", "µs a rollout", "memory, MiB", "KiB a rollout"):
        table.add_column(heading, justify="right")
    for size in sizes:
        each = f"{1_024 * size.memory_mib / size.rollouts:.1f}"
        cells = (f"{size.body_bytes / 1e6:.3f}", f"{size.microseconds:.1f}", f"{size.memory_mib:,.0f}", each)
        table.add_row(f"{size.rollouts:,}", *cells)
    return table
