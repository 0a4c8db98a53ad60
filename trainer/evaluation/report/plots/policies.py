"""The model and the baselines: one dot each, with its interval."""

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.evaluation.report.numbers import bounds, share
from trainer.evaluation.report.plots.rows import Panel, RowName, dot, rows_plot
from trainer.evaluation.report.plots.sheet import ACCENT, top_of
from trainer.evaluation.report.policies import Policy

_PANELS = {"exact_accuracy": "Exact accuracy, %", "type_accuracy": "Type accuracy, %"}


def draw_policies(policies: list[Policy], width: int) -> Figure:
    """Draw the policies in order, those without figures left out."""
    known = [policy for policy in policies if policy.figures["exact_accuracy"] is not None]
    names = [RowName(policy.name, strong=policy.is_model) for policy in known]
    return rows_plot(width, names, [_panel(figure, title, known) for figure, title in _PANELS.items()])


def _panel(figure: str, title: str, policies: list[Policy]) -> Panel:
    values = [policy.figures[figure] or 0.0 for policy in policies]
    ranges = [bounds(policy.intervals.get(figure)) for policy in policies]
    ends = [found[1] for found in ranges if found is not None]
    across = (0.0, min(1.0, top_of(values + ends, 0.05)))
    return Panel(title, across, _marks(policies, values, ranges), [share(value) for value in values], 100)


def _marks(
    policies: list[Policy], values: list[float], ranges: list[tuple[float, float] | None]
) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        rows = zip(policies, values, ranges, strict=True)
        for index, (policy, value, interval) in enumerate(rows):
            if policy.is_model:
                axes.axvspan(*(interval or (value, value)), color=ACCENT, alpha=0.1, linewidth=0, zorder=-1)
            dot(axes, value, index, policy.is_model, interval)

    return draw
