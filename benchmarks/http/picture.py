"""docs/performance.png: how near the floor calls come, and what a rollout takes in batches of any size."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.http.batches import Size
from benchmarks.http.calls import Figures

FILE = Path(__file__).parents[2] / "docs" / "performance.png"
SHOWN = {
    "ours": ("this server", "#1b7f5c"),
    "serve_rm": ("OpenRLHF-style", "#d98e04"),
    "route": ("FastAPI, orjson", "#9aa5b1"),
}


def draw(figures: Sequence[Figures], sizes: Sequence[Size]) -> None:
    """Write it."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for place, (name, (label, colour)) in enumerate(SHOWN.items()):
        at = [group + 0.27 * (place - 1) for group in range(len(figures))]
        heights = [100 * each.of_floor[name] for each in figures]
        for bar in left.bar(at, heights, 0.25, label=label, color=colour):
            left.annotate(f"{bar.get_height():.0f}", (bar.get_x() + 0.125, bar.get_height()), ha="center", va="bottom")
    left.set_xticks(
        range(len(figures)), [f"{each.body_bytes / 1_000:.3g} KB\n{each.in_flight} in flight" for each in figures]
    )
    left.set_ylabel("calls per second, % of a bare ASGI app")
    left.set_title("One rollout a call")
    left.legend(frameon=False)
    right.plot([size.rollouts for size in sizes], [size.microseconds for size in sizes], "o-", color=SHOWN["ours"][1])
    right.set_xscale("log", base=2)
    right.set_xticks([size.rollouts for size in sizes], [f"{size.rollouts:,}" for size in sizes])
    right.set_ylim(bottom=0)
    right.set_xlabel("rollouts a call")
    right.set_ylabel("µs a rollout, one call after the other")
    right.set_title("A batch a call")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FILE, dpi=130)
