"""Plots of rows: names on the left, one or more panels to their right, or below one another where it is narrow."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.evaluation.report.plots.sheet import (
    ACCENT,
    INK,
    MUTED,
    SMALL,
    panel,
    scale,
    sheet,
    shortened,
    width_of,
    write,
)

_ROW, _ROW_WITH_NAME = 25.0, 42.0
_HEAD, _FOOT, _GAP, _AIR = 28.0, 24.0, 28.0, 14.0
_INSET = 6.0
"""To the left and right of a scale, for the halves of its outermost marks."""
_MOST_GUTTER = 0.36
"""Of the width, for names to the left of their rows."""
_LEAST_PANEL = 96.0


class RowName(NamedTuple):
    """What stands to the left of a row."""

    text: str
    strong: bool = False
    heading: bool = False
    """Whether the row has no figure and heads those below it."""


class Panel(NamedTuple):
    """One scale, with a mark in each row."""

    title: str
    across: tuple[float, float]
    draw: Callable[[Axes], None]
    """Draws the marks; row i is at height i."""
    values: Sequence[str]
    """The figure of each row, as text at the right."""
    factor: float = 1.0
    """What a value is multiplied by to be shown."""


def rows_plot(width: int, names: Sequence[RowName], panels: Sequence[Panel]) -> Figure:
    """Draw the panels, as many beside one another as there is room for; long names stand above their rows."""
    longest = max(width_of(name.text) for name in names) + _AIR
    above = longest > _MOST_GUTTER * width
    gutter, row = (0.0, _ROW_WITH_NAME) if above else (longest, _ROW)
    figures = max((width_of(text, SMALL) for each in panels for text in each.values), default=0.0) + 4
    abreast = max(1, min(len(panels), int((width - gutter + _GAP) // (_LEAST_PANEL + figures + _GAP))))
    lines = -(-len(panels) // (1 if above else abreast))
    abreast = -(-len(panels) // lines)
    height = _HEAD + row * len(names) + _FOOT
    figure = sheet(width, lines * height)
    wide = (width - gutter - _GAP * (abreast - 1)) / abreast
    for index, each in enumerate(panels):
        line, place = divmod(index, abreast)
        left, top = gutter + place * (wide + _GAP) + _INSET, line * height + _HEAD
        box = (left, top, wide - figures - 2 * _INSET, row * len(names))
        axes = panel(figure, box, each.across, (-0.5, len(names) - 0.5))
        if above:
            axes.set_ylim(len(names) - 0.7, -0.7)
        _dress(axes, each, wide, _INSET if place == 0 or above else 0)
        if place == 0:
            _write_names(axes, names, gutter, width, above)
    return figure


def _dress(axes: Axes, each: Panel, wide: float, inset: float) -> None:
    """The panel's title, scale, marks and figures."""
    left, right = axes.get_xlim()
    write(axes, (left, axes.get_ylim()[1]), shortened(each.title, wide), offset=(-inset, 9), bold=True)
    scale(axes, each.factor)
    each.draw(axes)
    offset = (wide - axes.get_window_extent().width - _INSET, -4.0)
    for index, value in enumerate(each.values):
        write(axes, (right, index), value, offset=offset, across="right", size=SMALL)


def _write_names(axes: Axes, names: Sequence[RowName], gutter: float, width: float, above: bool) -> None:
    left = axes.get_xlim()[0]
    for index, name in enumerate(names):
        loud = name.strong or name.heading
        text = shortened(name.text, width if above else gutter)
        offset = (-gutter - _INSET, 11.0 if above and not name.heading else -4.0)
        write(axes, (left, index), text, offset=offset, colour=INK if loud else MUTED, bold=loud)


def dot(axes: Axes, at: float, row: float, model: bool, interval: tuple[float, float] | None = None) -> None:
    """A figure with its interval: a disc for the model, a smaller, grey diamond for what it is compared with."""
    colour, marker, size = (ACCENT, "o", 8.0) if model else (MUTED, "D", 5.0)
    if interval is not None:
        axes.hlines(row, *interval, colors=colour, linewidth=2, zorder=2)
    axes.plot([at], [row], marker, markersize=size, color=colour, markeredgewidth=0, clip_on=False, zorder=3)


def bar(axes: Axes, until: float, row: float, interval: tuple[float, float] | None = None) -> None:
    """A figure as a bar from 0, its interval as a line over the end."""
    high = _rows_of(axes, 11)
    axes.barh(row, until, height=high, color=ACCENT, alpha=0.55 if interval else 0.8, linewidth=0, zorder=1)
    if interval is not None:
        axes.hlines(row, *interval, colors=INK, linewidth=1.5, zorder=3)


def mark(axes: Axes, at: float, row: float) -> None:
    """What a bar is held against: an upright, dashed line across it."""
    half = _rows_of(axes, 9)
    axes.vlines(at, row - half, row + half, colors=INK, linewidth=2, linestyles=(0, (1.2, 0.8)))


def _rows_of(axes: Axes, pixels: float) -> float:
    """A height in pixels as one in rows."""
    bottom, top = axes.get_ylim()
    return pixels * (bottom - top) / float(axes.get_window_extent().height)
