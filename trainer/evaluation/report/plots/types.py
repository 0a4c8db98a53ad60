"""Accuracies per label type: a bar each, with its interval."""

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.bootstrap import Interval
from trainer.evaluation.report.numbers import share
from trainer.evaluation.report.plots.rows import Panel, RowName, bar, mark, rows_plot
from trainer.evaluation.report.plots.sheet import top_of


class TypeFigures(NamedTuple):
    """What is drawn for one label type."""

    name: str
    exact: float
    exact_interval: Interval | None
    type: float
    type_interval: Interval | None
    constant: float | None
    """Exact accuracy of the best policy that always predicts this type."""


def draw_types(types: list[TypeFigures], chance: float | None, width: int) -> Figure:
    """Draw exact and type accuracy; `chance` is the type accuracy of a type drawn at random, the same for each."""
    exact = [(each.exact, each.exact_interval, each.constant) for each in types]
    right = [(each.type, each.type_interval, chance) for each in types]
    panels = [_panel("Exact accuracy, %", exact), _panel("Type accuracy (recall), %", right)]
    return rows_plot(width, [RowName(each.name, strong=True) for each in types], panels)


_Bar = tuple[float, Interval | None, float | None]


def _panel(title: str, bars: list[_Bar]) -> Panel:
    ends = [end for value, interval, beside in bars for end in (value, beside or 0.0, interval[1] if interval else 0.0)]
    return Panel(title, (0.0, min(1.0, top_of(ends, 0.05))), _bars(bars), [share(value) for value, _, _ in bars], 100)


def _bars(bars: list[_Bar]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        for index, (value, interval, beside) in enumerate(bars):
            bar(axes, value, index, interval)
            if beside:
                mark(axes, beside, index)

    return draw
