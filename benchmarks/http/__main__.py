"""What HTTP costs: the server beside the floor and two peers, in one run; figures and picture in docs/performance.md.

    python -m benchmarks.http

Needs wrk, taskset and two cores. Takes ten minutes.
"""

from benchmarks.http import batches, calls, picture, workers
from benchmarks.tables import publish


def main() -> None:
    """Measure all, and show it."""
    figures = calls.measure()
    publish("calls", *calls.tables(figures))
    publish("batches", batches.beside_peers(), batches.by_stage())
    sizes = batches.by_size()
    publish("sizes", batches.size_table(sizes))
    publish("workers", workers.table(workers.measure()))
    picture.draw(figures, sizes)


main()
