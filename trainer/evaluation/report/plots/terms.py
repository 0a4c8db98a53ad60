"""Mean rewards per label type: each term on a scale of its own, since one of them may be a thousand times another."""

from collections.abc import Callable, Mapping
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.evaluation.report.numbers import number
from trainer.evaluation.report.plots.rows import Panel, RowName, bar, rows_plot
from trainer.evaluation.report.plots.sheet import RULE, top_of
from trainer.evaluation.result import TermMeans

TERMS = ("format", "type", "attribute", "value")


def draw_terms(means: Mapping[str, TermMeans], width: int) -> Figure:
    """Draw the four terms, then the score: the reward's share of the best there is."""
    names = [RowName(name, strong=name == "all") for name in means]
    panels = [_panel(term, [_finite(getattr(each, term)) for each in means.values()]) for term in TERMS]
    scores = [each.score for each in means.values()]
    score = Panel("score, %", (0.0, 1.0), _bars(scores), [number(100 * value) for value in scores], 100)
    return rows_plot(width, names, [*panels, score])


def _panel(title: str, values: list[float]) -> Panel:
    below = top_of([-value for value in values]) if min(values) < 0 else 0.0
    digits = 3 if max(map(abs, values)) < 10 else 1
    return Panel(title, (-below, top_of(values)), _bars(values), [number(value, digits) for value in values])


def _finite(value: float) -> float:
    return value if isfinite(value) else 0.0


def _bars(values: list[float]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        axes.axvline(0, color=RULE, linewidth=1)
        for index, value in enumerate(values):
            bar(axes, value, index)

    return draw
