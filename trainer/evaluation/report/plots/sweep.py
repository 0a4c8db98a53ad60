"""Accuracies over the sampling temperature: a line per model, told apart by colour and by the form of its points."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trainer.bootstrap import Interval
from trainer.evaluation.report.numbers import number
from trainer.evaluation.report.plots.sheet import (
    MUTED,
    RULE,
    RUNS,
    SMALL,
    panel,
    run_colour,
    sheet,
    shortened,
    width_of,
    write,
)

_ROW, _HEAD, _HIGH, _FOOT, _GAP, _LEAST = 20.0, 40.0, 180.0, 42.0, 32.0, 260.0
_SAMPLE, _INSET = 28.0, 18.0
"""Width of a line in the legend; and of the room inside a panel beside its outermost temperatures."""
_APART = 5.0
"""Pixels between models at one temperature, so that one interval does not hide another."""
_MARKERS = "osD^vP"


class SweepPoint(NamedTuple):
    """One model at one temperature."""

    temperature: float
    value: float
    interval: Interval | None


class SweepPanel(NamedTuple):
    """One figure of all models."""

    title: str
    models: Sequence[Sequence[SweepPoint]]
    """By model, and by rising temperature."""


def draw_sweep(names: Sequence[str], panels: Sequence[SweepPanel], width: int) -> Figure:
    """Draw the panels, beside one another where there is room, below a legend of the models."""
    abreast = len(panels) if width >= len(panels) * (_LEAST + _GAP) - _GAP else 1
    high = _HEAD + _HIGH + _FOOT
    legend = _ROW * len(names)
    figure = sheet(width, legend + high * -(-len(panels) // abreast))
    for index, name in enumerate(names):
        axes = panel(figure, (0, index * _ROW, _SAMPLE, _ROW), (0, 1), (0, 1))
        _line(axes, [0, 0.5, 1], [0.5, 0.5, 0.5], index, slice(1, 2))
        write(axes, (1, 0.5), shortened(name, width - _SAMPLE - 8), offset=(8, -4))
    wide = (width - _GAP * (abreast - 1)) / abreast
    for index, each in enumerate(panels):
        line, place = divmod(index, abreast)
        _draw(figure, each, (place * (wide + _GAP), legend + line * high + _HEAD, wide))
    return figure


def _draw(figure: Figure, each: SweepPanel, place: tuple[float, float, float]) -> None:
    left, top, wide = place
    points = [point for model in each.models for point in model]
    ends = [point.interval[1] if point.interval else point.value for point in points]
    locator = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=True)
    ticks = [float(tick) / 100 for tick in locator.tick_values(0, 100 * max(*ends, 0.05))]
    texts, highest = [number(100 * tick, 0) for tick in ticks], ticks[-1]
    gutter = max(map(width_of, texts)) + 8
    temperatures = sorted({point.temperature for point in points})
    across = _across(temperatures, wide - gutter)
    axes = panel(figure, (left + gutter, top, wide - gutter, _HIGH), across, (highest, 0.0))
    write(axes, (across[0], highest), each.title, offset=(-gutter, 18), bold=True)
    for tick, text in zip(ticks, texts, strict=True):
        axes.hlines(tick, *across, colors=RULE, linewidth=1, zorder=0)
        write(axes, (across[0], tick), text, offset=(-8, -4), across="right", colour=MUTED, size=SMALL)
    _name(axes, temperatures)
    pixel = (across[1] - across[0]) / (wide - gutter)
    for index, model in enumerate(each.models):
        aside = (index - (len(each.models) - 1) / 2) * min(_APART, _INSET / len(each.models)) * pixel
        where = [point.temperature + aside for point in model]
        for at, point in zip(where, model, strict=True):
            if point.interval is not None:
                axes.vlines(at, *point.interval, colors=run_colour(index), linewidth=1.5, zorder=2)
        _line(axes, where, [point.value for point in model], index)


def _across(temperatures: Sequence[float], wide: float) -> tuple[float, float]:
    """The ends of the scale, some pixels beyond the outermost temperatures."""
    low, high = temperatures[0], temperatures[-1]
    inset = _INSET * ((high - low) or 1.0) / (wide - 2 * _INSET)
    return low - inset, high + inset


def _name(axes: Axes, temperatures: Sequence[float]) -> None:
    """Write the temperatures below, without those that would run into the one before."""
    low, high = axes.get_xlim()
    pixels, free = float(axes.get_window_extent().width), float("-inf")
    for value in temperatures:
        text, at = f"{value:g}", (value - low) / (high - low) * pixels
        half = width_of(text, SMALL) / 2 + 3
        if at - half >= free:
            write(axes, (value, 0), text, offset=(0, -SMALL - 6), across="center", colour=MUTED, size=SMALL)
            free = at + half
    middle = ((low + high) / 2, 0.0)
    write(axes, middle, "temperature", offset=(0, -2 * SMALL - 12), across="center", colour=MUTED, size=SMALL)


def _line(axes: Axes, across: Sequence[float], up: Sequence[float], model: int, marked: slice = slice(None)) -> None:
    colour, marker = run_colour(model), _MARKERS[(model + model // len(RUNS)) % len(_MARKERS)]
    axes.plot(across, up, color=colour, linewidth=2, zorder=2, clip_on=False)
    axes.plot(
        across[marked], up[marked], marker, color=colour, markersize=7, markeredgewidth=0, clip_on=False, zorder=3
    )
