"""What HTTP costs: the server beside the floor and two peers, in one run; figures and picture in docs/performance.md.

    python -m benchmarks.http

Needs wrk, taskset and two cores with nothing else to do. Takes ten minutes.
"""

from benchmarks.arguments import no_arguments
from benchmarks.http import batches, calls, picture, workers
from benchmarks.http.load import check_tools
from benchmarks.tables import publish


def main() -> None:
    """Measure all, and show it."""
    figures = calls.measure()
    sizes = batches.by_size()
    measured = {
        "calls": calls.tables(figures),
        "batches": [batches.beside_peers(), batches.by_stage()],
        "sizes": [batches.size_table(sizes)],
        "workers": [workers.table(workers.measure())],
    }
    # All of one run, or none.
    for name, tables in measured.items():
        publish(name, *tables)
    picture.draw(figures, sizes)


no_arguments(__doc__)
check_tools()
main()
