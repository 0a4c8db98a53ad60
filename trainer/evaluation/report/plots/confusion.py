"""The confusion matrix as a heat map: the stronger a cell, the larger its share of the row."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from trainer.evaluation.report.plots.sheet import (
    HEAT,
    INK,
    MUTED,
    RULE,
    SMALL,
    TEXT,
    panel,
    sheet,
    shortened,
    width_of,
    write,
)
from trainer.evaluation.result import INVALID, UNKNOWN, Confusion

_LEAST_CELL, _MOST_CELL, _HIGH, _LOW = 21.0, 92.0, 40.0, 24.0
_ROOM_FOR_SHARE = 38.0
_TINY = 8.5
_MOST_NAME = 150.0
_SLOPE = 0.71
"""Sine of the angle of the column names."""


def draw_confusion(confusion: Confusion, width: int) -> Figure:
    """Draw it for so many pixels, or wider where its cells would become too narrow to write in."""
    columns, rows = len(confusion.predictions), len(confusion.labels)
    gutter = min(max(map(width_of, confusion.labels)) + 12, _MOST_NAME, 0.36 * width)
    beyond = _overhang(confusion.predictions, _cell_width((width - gutter) / columns))
    cell = _cell_width((width - gutter - beyond) / columns)
    high = _HIGH if cell >= _ROOM_FOR_SHARE else _LOW
    level = _overhang(confusion.predictions, cell) == 0
    longest = min(max(width_of(name, SMALL) for name in confusion.predictions), _MOST_NAME)
    head = 24.0 if level else _SLOPE * longest + 18
    figure = sheet(gutter + cell * columns + beyond, head + high * rows)
    axes = panel(figure, (gutter, head, cell * columns, high * rows), (0, columns), (0, rows))
    for index, name in enumerate(confusion.labels):
        at = (0.0, index + 0.5)
        write(axes, at, shortened(name, gutter - 12), offset=(-gutter, -4), bold=True)
    for index, name in enumerate(confusion.predictions):
        _column(axes, index, name, level)
    for row in range(rows):
        _row(axes, confusion, row, cell)
    return figure


def _cell_width(room: float) -> float:
    return min(max(room, _LEAST_CELL), _MOST_CELL)


def _overhang(names: Sequence[str], cell: float) -> float:
    """How far the slanted names reach beyond the last column; 0 where they need not be slanted."""
    widths = [min(width_of(name, SMALL), _MOST_NAME) for name in names]
    if all(width <= cell - 6 for width in widths):
        return 0.0
    return max(8.0, *(_SLOPE * width - (len(names) - at - 0.5) * cell + 8 for at, width in enumerate(widths)))


def _column(axes: Axes, index: int, name: str, level: bool) -> None:
    colour = MUTED if name in (UNKNOWN, INVALID) else INK
    if level:
        write(axes, (index + 0.5, 0), name, offset=(0, 8), across="center", colour=colour, size=SMALL)
        return
    text = shortened(name, _MOST_NAME, SMALL)
    write(axes, (index + 0.5, 0), text, offset=(0, 8), colour=colour, size=SMALL, turned=45)


def _row(axes: Axes, confusion: Confusion, row: int, cell: float) -> None:
    counts = confusion.counts[row]
    labels = sum(counts)
    for column, count in enumerate(counts):
        part = count / labels if labels else 0.0
        right = confusion.predictions[column] == confusion.labels[row]
        _cell(axes, column, row, part, right)
        colour = INK if count else MUTED
        at = (column + 0.5, row + 0.5)
        if cell < _ROOM_FOR_SHARE:
            if count:
                write(axes, at, _brief(count), offset=(0, -3), across="center", colour=colour, size=_TINY)
            continue
        write(axes, at, f"{100 * part:.0f} %", offset=(0, 2), across="center", colour=colour, size=TEXT, bold=right)
        text = f"{count:,}" if width_of(f"{count:,}", 10) < cell - 4 else _brief(count)
        write(axes, at, text, offset=(0, -11), across="center", colour=colour, size=10)


def _cell(axes: Axes, column: int, row: int, part: float, right: bool) -> None:
    frame, width, above = (INK, 1.5, 1) if right else (RULE, 1.0, 0)
    face = (HEAT, 0.05 + 0.6 * part) if part > 0 else "none"
    place = (column + 0.02, row + 0.03)
    axes.add_artist(Rectangle(place, 0.96, 0.94, facecolor=face, edgecolor=frame, linewidth=width, zorder=above))


def _brief(count: int) -> str:
    """A count in four characters at most: 999, 9.9k, 99k, 999k, 9.9M, …"""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= 0.9995 * size:
            return f"{count / size:.1f}{unit}" if count < 9.95 * size else f"{count / size:.0f}{unit}"
    return str(count)
