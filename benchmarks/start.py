"""Time from a process's start to a ready server, beside importing FastAPI and pydantic alone, in one run.

python benchmarks/start.py
"""

import os
import subprocess
import sys
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.progress import track
from rich.table import Table

ROUNDS = 7
SERVE = (
    sys.executable,
    "-m",
    "reward_server",
    "serve",
    "--port",
    "0",
    "--certainty",
    "none",
    "--spec",
    "shop-r1-no-rationale",
)
PEER = (sys.executable, "-c", "import fastapi, pydantic")


def seconds_to_ready() -> float:
    """Until the banner is out, which is once the server listens."""
    environment = {**os.environ, "COLUMNS": "200"}
    started = perf_counter()
    with subprocess.Popen(SERVE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("curl"):
            pass
        elapsed = perf_counter() - started
        process.terminate()
        process.stderr.read()
    return elapsed


def seconds_to_import() -> float:
    started = perf_counter()
    subprocess.run(PEER, check=True)
    return perf_counter() - started


def main() -> None:
    seconds_to_ready()
    seconds_to_import()
    rounds = [(seconds_to_ready(), seconds_to_import()) for _ in track(range(ROUNDS), "timing", transient=True)]
    ready, imported = median(row[0] for row in rounds), median(row[1] for row in rounds)
    ratio = median(row[0] / row[1] for row in rounds)
    table = Table(title=f"Median of {ROUNDS} rounds", title_justify="left")
    for column in ("", "seconds", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("process start to ready server", f"{ready:.2f}", f"{ratio:.2f} ×")
    table.add_row("python -c 'import fastapi, pydantic'", f"{imported:.2f}", "1 ×")
    Console().print(table)


if __name__ == "__main__":
    main()
