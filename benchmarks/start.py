"""What a server takes to start, beside importing FastAPI and pydantic alone; its memory, beside a bare FastAPI app's.

    python -m benchmarks.start

A start lasts until the banner is out, which is once the server listens; an import, until Python has ended. Processor
time is user and system together, which work beside it disturbs less than the clock. Memory is what is resident once
requests have been answered, as uvicorn serves both.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import NamedTuple

import httpx
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.arguments import no_arguments
from benchmarks.http.load import SPEC, Target, ours, peer

ROUNDS = 15
SERVE = (sys.executable, "-m", "reward_server", "serve", "--port", "0", "--certainty", "none", "--spec", SPEC)
PEER = (sys.executable, "-c", "import fastapi, pydantic")
LABEL = {"type": "terminate"}
ROLLOUT = {"completion": '{"rationale": "I am done.", "action": {"type": "terminate"}}', "label": LABEL}
REQUESTS = 64
"""Each on a connection of its own, so that every process of several gets some."""


class Cost(NamedTuple):
    """Of a process, in seconds."""

    clock: float
    processor: float


def start() -> Cost:
    environment = {**os.environ, "COLUMNS": "200"}
    started = perf_counter()
    with subprocess.Popen(SERVE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("curl"):
            pass
        elapsed = perf_counter() - started
        times = psutil.Process(process.pid).cpu_times()
        process.terminate()
        process.stderr.read()
    return Cost(elapsed, times.user + times.system)


def import_peer() -> Cost:
    before, started = _children_seconds(), perf_counter()
    subprocess.run(PEER, check=True)
    return Cost(perf_counter() - started, _children_seconds() - before)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def megabytes(server: Target) -> list[float]:
    """Resident in each process that serves, in MiB; of several, the one that watches over them comes first."""
    for _ in range(REQUESTS):
        httpx.post(server.url, json={"rollouts": [ROLLOUT]}, timeout=60).raise_for_status()
    watching = psutil.Process(server.pid)
    serving = [child for child in watching.children() if "spawn_main" in " ".join(child.cmdline())]
    return [process.memory_info().rss / 2**20 for process in (watching, *serving)]


def memory() -> Table:
    with peer("app", "bare") as server:
        (bare,) = megabytes(server)
    with ours() as server:
        (alone,) = megabytes(server)
    with ours("--workers", "2") as server:
        watching, *workers = megabytes(server)
    table = Table(title=f"Resident memory after {REQUESTS} requests", title_justify="left")
    for column in ("", "MiB", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    rows = (
        ("server of one process", [alone]),
        ("each of two workers", workers),
        ("the process that watches over them", [watching]),
        ("bare FastAPI application", [bare]),
    )
    for name, sizes in rows:
        table.add_row(name, _range(sizes, ".0f"), f"{max(sizes) / bare:.2f} ×")
    return table


def _range(values: Sequence[float], form: str) -> str:
    texts = list(dict.fromkeys(format(value, form) for value in sorted(values)))
    return " to ".join(texts)


def times() -> Table:
    start()
    import_peer()
    rounds = [(start(), import_peer()) for _ in track(range(ROUNDS), "timing", transient=True)]
    table = Table(title=f"Median of {ROUNDS} rounds", title_justify="left")
    for column in ("", "seconds", "ratio", "processor seconds", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    for index, name in enumerate(("process start to ready server", "python -c 'import fastapi, pydantic'")):
        cells = []
        for figure in range(2):
            seconds = median(costs[index][figure] for costs in rounds)
            ratio = median(costs[index][figure] / costs[1][figure] for costs in rounds)
            cells += [f"{seconds:.2f}", f"{ratio:.2f} ×"]
        table.add_row(name, *cells)
    return table


def main() -> None:
    console = Console(width=120)
    console.print(times())
    console.print(memory())


if __name__ == "__main__":
    no_arguments(__doc__)
    main()
