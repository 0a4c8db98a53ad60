"""A forest plot: how far each run lies from the reference, figure by figure."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.bootstrap import Interval
from trainer.evaluation.report.numbers import bracketed, signed
from trainer.evaluation.report.plots.rows import Panel, RowName, dot, rows_plot
from trainer.evaluation.report.plots.sheet import INK, top_of


class RunDifference(NamedTuple):
    """One run in one figure."""

    run: str
    difference: float
    interval: Interval | None


def draw_differences(figures: Sequence[tuple[str, Sequence[RunDifference]]], width: int) -> Figure:
    """Draw the runs' differences below each figure's name."""
    names: list[RowName] = []
    marks: list[RunDifference | None] = []
    for figure, runs in figures:
        names += [RowName(figure, heading=True), *(RowName(each.run) for each in runs)]
        marks += [None, *runs]
    known = [mark for mark in marks if mark is not None]
    ends = [abs(end) for mark in known for end in (mark.difference, *(mark.interval or ()))]
    limit = top_of(ends, 0.01)

    def draw(axes: Axes) -> None:
        axes.vlines(0, -0.5, len(marks) - 0.5, colors=INK, linewidth=1.5, zorder=1)
        for index, mark in enumerate(marks):
            if mark is not None:
                dot(axes, mark.difference, index, True, mark.interval)

    values = ["" if mark is None else _figure(mark) for mark in marks]
    title = "Difference from the reference, points"
    return rows_plot(width, names, [Panel(title, (-limit, limit), draw, values, 100)])


def _figure(mark: RunDifference) -> str:
    return f"{signed(100 * mark.difference)} {bracketed(mark.interval)}".strip()
