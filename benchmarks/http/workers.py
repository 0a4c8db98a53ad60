"""Two processes beside one, for work of which the client has next to none: GRPO batches."""

from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.http.batches import BATCH, body
from benchmarks.http.load import ours, post

ROUNDS, SECONDS, IN_FLIGHT = 5, 3, 16
ALL_CPUS = "0,1"


def measure() -> list[tuple[float, float]]:
    """Calls per second of one process and of two, by turns, for each round; wrk shares their cores."""
    asked = [body(BATCH)]
    with ExitStack() as stack:
        one = stack.enter_context(ours(cpus=ALL_CPUS))
        two = stack.enter_context(ours("--workers", "2", cpus=ALL_CPUS))
        return [
            (
                post(one.url, asked, IN_FLIGHT, SECONDS, cpus=ALL_CPUS).calls,
                post(two.url, asked, IN_FLIGHT, SECONDS, cpus=ALL_CPUS).calls,
            )
            for _ in track(range(ROUNDS), "two workers", console=Console(stderr=True), transient=True)
        ]


def table(rounds: Sequence[tuple[float, float]]) -> Table:
    one, two = (median(row[place] for row in rounds) for place in range(2))
    ratio = median(row[1] / row[0] for row in rounds)
    shown = Table(
        title=f"Calls per second with {BATCH:,} rollouts, {IN_FLIGHT} in flight, two cores for server and client"
    )
    for heading in ("1 worker", "2 workers", "ratio"):
        shown.add_column(heading, justify="right")
    shown.add_row(f"{one:,.1f}", f"{two:,.1f}", f"{ratio:.2f} ×")
    return shown
