"""The same applications on uvicorn and on granian, in one run: is there something to be had?

    pip install granian uvloop && python -m benchmarks.http.granian

Needs wrk, taskset and two cores.
"""

from contextlib import ExitStack
from importlib.util import find_spec
from statistics import median

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.arguments import no_arguments
from benchmarks.http.calls import IN_FLIGHT, SIZES, bodies
from benchmarks.http.load import check_tools, peer, post, running
from benchmarks.tables import publish

ROUNDS, SECONDS = 5, 2
APPS = {"floor": "bare ASGI application", "route": "FastAPI, orjson"}
OPTIONS = (
    "--interface",
    "asgi",
    "--loop",
    "uvloop",
    "--workers",
    "1",
    "--no-ws",
    "--backlog",
    "2048",
    "--log-level",
    "error",
)


def main() -> None:
    """Measure all, and show it."""
    table = Table(title=f"Calls per second, median of {ROUNDS} rounds; the server has one core")
    for heading in ("application", "body", "in flight", "uvicorn", "granian", "ratio"):
        table.add_column(heading, justify="left" if heading in ("application", "body") else "right")
    work = [(app, size, in_flight) for app in APPS for size in SIZES for in_flight in IN_FLIGHT]
    with ExitStack() as stack:
        servers = {
            app: (
                stack.enter_context(peer(app)),
                stack.enter_context(running("granian", f"benchmarks.http.apps:{app}", *OPTIONS)),
            )
            for app in APPS
        }
        for app, size, in_flight in track(work, "granian", console=Console(stderr=True), transient=True):
            asked = bodies(*SIZES[size])
            rounds = [
                [post(server.url, asked, in_flight, SECONDS).calls for server in servers[app]] for _ in range(ROUNDS)
            ]
            calls = [f"{median(row[place] for row in rounds):,.0f}" for place in range(2)]
            ratio = median(row[1] / row[0] for row in rounds)
            table.add_row(APPS[app], size, str(in_flight), *calls, f"{ratio:.2f} ×")
    publish("granian", table)


if __name__ == "__main__":
    no_arguments(__doc__)
    check_tools()
    if find_spec("granian") is None:
        raise SystemExit("not installed: granian")
    main()
