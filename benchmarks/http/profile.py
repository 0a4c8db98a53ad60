"""Where the server's time goes while stock OpenRLHF's calls come: the functions with the most samples of their own.

    python -m benchmarks.http.profile

Needs wrk, taskset, two cores, and the right to look into other processes, as py-spy does. For a picture:
`py-spy record --pid PID --output flames.svg`.
"""

import subprocess
import sys
from collections import Counter as Tally
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from rich.console import Console
from rich.table import Table

from benchmarks.arguments import no_arguments
from benchmarks.http.calls import SIZES, bodies
from benchmarks.http.load import Target, check_tools, ours, post
from benchmarks.tables import publish

PY_SPY = str(Path(sys.executable).with_name("py-spy"))
IN_FLIGHT, SECONDS, RATE, SHOWN = 64, 8, 500, 5


def shares(server: Target, size: str) -> list[tuple[str, float]]:
    """Functions, with their shares of all samples, under calls of one size."""
    asked = bodies(*SIZES[size])
    post(server.url, asked, IN_FLIGHT, 2)
    load = Thread(target=post, args=(server.url, asked, IN_FLIGHT, SECONDS + 3))
    load.start()
    try:
        with TemporaryDirectory() as folder:
            stacks = Path(folder) / "stacks"
            options = ["--format", "raw", "--rate", str(RATE), "--duration", str(SECONDS), "--output", str(stacks)]
            subprocess.run([PY_SPY, "record", "--pid", str(server.pid), *options], check=True, capture_output=True)
            found = stacks.read_text(encoding="utf-8").splitlines()
    finally:
        load.join()
    samples: Tally[str] = Tally()
    for stack, _, count in (line.rpartition(" ") for line in found):
        samples[stack.rpartition(";")[2].partition(" (")[0]] += int(count)
    return [(name, count / samples.total()) for name, count in samples.most_common(SHOWN)]


def main() -> None:
    """Measure both sizes, and show them side by side."""
    with ours() as server, Console(stderr=True).status("sampling"):
        found = [shares(server, size) for size in SIZES]
    table = Table(title=f"{IN_FLIGHT} in flight, {SECONDS} s, {RATE} samples a second")
    for size in SIZES:
        table.add_column(size)
        table.add_column("samples", justify="right")
    for row in zip(*found, strict=True):
        table.add_row(*(cell for name, share in row for cell in (name, f"{share:.0%}")))
    publish("profile", table)


if __name__ == "__main__":
    no_arguments(__doc__)
    check_tools()
    main()
