"""Metrics over training steps: a panel each, the runs in it told apart by colour and by the style of their lines."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from trainer.evaluation.report.plots.sheet import (
    MUTED,
    RULE,
    RUNS,
    SMALL,
    TEXT,
    panel,
    run_colour,
    sheet,
    shortened,
    width_of,
    write,
)
from trainer.training_curves.smoothing import centred_mean, window_of

_HEAD, _HIGH, _FOOT, _GAP, _LEAST, _MOST = 30.0, 104.0, 32.0, 30.0, 216.0, 385.0
_TITLE = 30.0
_INSET = 6.0
"""To the right of a scale, for the halves of its last marks."""
_LEGEND_ROW, _SAMPLE, _AIR, _BELOW_LEGEND = 20.0, 30.0, 20.0, 10.0
_DOT = 0.5
"""How long a point is drawn, in pixels: a line without a length is left out by some renderers."""
_PIXELS_PER_DOT, _PIXELS_PER_VERTEX = 3.0, 1.5
_STYLES: Sequence[str | tuple[float, tuple[float, ...]]] = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.2, 1, 1.2)),
    (0, (7, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)


class RunCurve(NamedTuple):
    """One metric of one run."""

    run: int
    """Which of the runs."""
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    """(points)"""


class CurvePanel(NamedTuple):
    """One metric of all the runs that have it."""

    title: str
    curves: Sequence[RunCurve]
    factor: float = 1.0
    """What a value is multiplied by to be shown."""
    whole: bool = False
    """Whether the scale reaches from 0 to 1, instead of as far as the values do."""


class CurveGroup(NamedTuple):
    """Panels below one title."""

    title: str
    panels: Sequence[CurvePanel]


class _Scale(NamedTuple):
    """The values that a panel's scale names, from end to end, and their texts."""

    ticks: Sequence[float]
    texts: Sequence[str]

    @property
    def low(self) -> float:
        return self.ticks[0]

    @property
    def high(self) -> float:
        return self.ticks[-1]


class _Grid(NamedTuple):
    """Where the panels of one group are, in pixels."""

    top: float
    gutter: float
    """To the left of each panel, for the values of its scale."""
    wide: float
    abreast: int
    lines: int

    @property
    def bottom(self) -> float:
        return self.top + self.lines * (_HEAD + _HIGH + _FOOT)


def draw_curves(runs: Sequence[str], groups: Sequence[CurveGroup], width: int) -> Figure:
    """Draw the groups below a legend of the runs; the smoothed curve is drawn over its faint points.

    The titles of the groups are written where there are several. Points beyond a scale that holds the smoothed curves
    and 98 % of the points are left out.
    """
    legend = _legend(runs, width)
    top = _LEGEND_ROW * (legend[-1][2] + 1) + _BELOW_LEGEND
    title = _TITLE if len(groups) > 1 else 0.0
    scales = [[_scale(each) for each in group.panels] for group in groups]
    grids: list[_Grid] = []
    for ticks in scales:
        grids.append(_grid(top + title, width, ticks))
        top = grids[-1].bottom
    figure = sheet(width, top)
    for run, (text, left, row) in enumerate(legend):
        _sample(figure, run, text, left, row)
    for group, grid, ticks in zip(groups, grids, scales, strict=True):
        if title:
            head = panel(figure, (0, grid.top - _TITLE, width, _TITLE), (0, 1), (0, 1))
            write(head, (0, 1), group.title, offset=(0, 6), colour=MUTED, size=TEXT + 1, bold=True)
        for index, (each, scale) in enumerate(zip(group.panels, ticks, strict=True)):
            _draw_panel(figure, grid, index, each, scale)
    return figure


def points_left_out(each: CurvePanel) -> int:
    """How many points lie beyond the panel's scale."""
    scale = _scale(each)
    return sum(int(((curve.values < scale.low) | (curve.values > scale.high)).sum()) for curve in each.curves)


def _legend(runs: Sequence[str], width: float) -> list[tuple[str, float, int]]:
    """Each run's text, its left end and its row."""
    found: list[tuple[str, float, int]] = []
    left, row = 0.0, 0
    for run in runs:
        text = shortened(run, width - _SAMPLE - 8)
        wide = _SAMPLE + 8 + width_of(text) + _AIR
        if left and left + wide - _AIR > width:
            left, row = 0.0, row + 1
        found.append((text, left, row))
        left += wide
    return found


def _sample(figure: Figure, run: int, text: str, left: float, row: int) -> None:
    axes = panel(figure, (left, row * _LEGEND_ROW, _SAMPLE, _LEGEND_ROW), (0, 1), (0, 1))
    _line(axes, np.array([0.0, 1.0]), np.array([0.5, 0.5]), run)
    write(axes, (1, 0.5), text, offset=(8, -4))


def _grid(top: float, width: float, scales: Sequence[_Scale]) -> _Grid:
    gutter = max(width_of(text, SMALL) for scale in scales for text in scale.texts) + 8
    most = max(1, min(len(scales), int((width + _GAP) // (_LEAST + _GAP))))
    lines = -(-len(scales) // most)
    abreast = -(-len(scales) // lines)
    wide = min((width - _GAP * (abreast - 1)) / abreast, _MOST)
    return _Grid(top, gutter, wide, abreast, lines)


def _draw_panel(figure: Figure, grid: _Grid, index: int, each: CurvePanel, scale: _Scale) -> None:
    across = _across(each.curves)
    line, place = divmod(index, grid.abreast)
    left, top = place * (grid.wide + _GAP), grid.top + line * (_HEAD + _HIGH + _FOOT) + _HEAD
    box = (left + grid.gutter, top, grid.wide - grid.gutter - _INSET, _HIGH)
    axes = panel(figure, box, across, (scale.high, scale.low))
    write(axes, (across[0], scale.high), shortened(each.title, grid.wide), offset=(-grid.gutter, 12), bold=True)
    for tick, text in zip(scale.ticks, scale.texts, strict=True):
        axes.hlines(tick, *across, colors=RULE, linewidth=1, zorder=0)
        write(axes, (across[0], tick), text, offset=(-8, -4), across="right", colour=MUTED, size=SMALL)
    _step_scale(axes, across, scale.low)
    for curve in each.curves:
        _points(axes, curve)
    for curve in each.curves:
        smooth = centred_mean(curve.values, window_of(len(curve.values)))
        kept = _thinned(len(smooth), axes, _PIXELS_PER_VERTEX)
        if len(kept) > 1:
            _line(axes, curve.steps[kept].astype(np.float64), smooth[kept], curve.run)


def _step_scale(axes: Axes, across: tuple[float, float], low: float) -> None:
    ticks = MaxNLocator(nbins=4, integer=True, steps=[1, 2, 2.5, 5, 10]).tick_values(*across)
    shown = [float(tick) for tick in ticks if max(0.0, across[0]) <= tick <= across[1]]
    pixels = axes.get_window_extent().width / (across[1] - across[0])
    for tick in shown:
        text = f"step {tick:,.0f}" if tick == shown[0] else f"{tick:,.0f}"
        beyond = width_of(text, SMALL) / 2 - _INSET - (across[1] - tick) * pixels
        offset = (-max(0.0, beyond), -SMALL - 5)
        write(axes, (tick, low), text, offset=offset, across="center", colour=MUTED, size=SMALL)


def _points(axes: Axes, curve: RunCurve) -> None:
    """The values themselves, all as one path of dots."""
    top, bottom = sorted(axes.get_ylim())
    kept = _thinned(len(curve.values), axes, _PIXELS_PER_DOT)
    steps, values = curve.steps[kept].astype(np.float64), curve.values[kept]
    inside = (values >= top) & (values <= bottom)
    if not inside.any():
        return
    left, right = axes.get_xlim()
    length = _DOT * (right - left) / float(axes.get_window_extent().width)
    ends = [[(step - length / 2, value), (step + length / 2, value)] for step, value in zip(steps, values, strict=True)]
    vertices = np.array(ends)[inside].reshape(-1, 2)
    path = Path(vertices, [Path.MOVETO, Path.LINETO] * (len(vertices) // 2))
    path.should_simplify = False
    alone = len(curve.values) == 1
    look = {"linewidth": 7.0, "alpha": 1.0} if alone else {"linewidth": 2.5, "alpha": 0.3}
    dots = PathPatch(path, edgecolor=run_colour(curve.run), facecolor="none", capstyle="round", zorder=1, **look)
    axes.add_patch(dots).set_clip_on(False)


def _line(axes: Axes, across: NDArray[np.float64], up: NDArray[np.float64], run: int) -> None:
    style = _STYLES[(run + run // len(RUNS)) % len(_STYLES)]
    axes.plot(across, up, color=run_colour(run), linestyle=style, linewidth=2, zorder=2, clip_on=False)


def _thinned(points: int, axes: Axes, pixels: float) -> NDArray[np.int64]:
    """Which points to draw: as many, evenly, as there is room for, always with the first and the last."""
    most = int(axes.get_window_extent().width / pixels)
    return np.unique(np.linspace(0, points - 1, min(points, most)).round().astype(np.int64))


def _across(curves: Sequence[RunCurve]) -> tuple[float, float]:
    """The first and the last step of a panel's own curves: SFT has many more than GRPO."""
    first = float(min(curve.steps[0] for curve in curves))
    last = float(max(curve.steps[-1] for curve in curves))
    return (first, last) if first < last else (first - 1, last + 1)


def _scale(each: CurvePanel) -> _Scale:
    locator = MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2)
    ticks = [0.0, 0.5, 1.0] if each.whole else [float(tick) for tick in locator.tick_values(*_limits(each))]
    return _Scale(ticks, _texts([each.factor * tick for tick in ticks]))


def _texts(ticks: Sequence[float]) -> list[str]:
    """With the digits that the step between them needs."""
    step, largest = ticks[1] - ticks[0], max(map(abs, ticks))
    if largest >= 1e6 or step < 1e-4:
        return [f"{tick:.3g}".replace("-", "−") for tick in ticks]
    digits = next((digits for digits in range(5) if abs(round(step, digits) - step) < 1e-9 * largest), 5)
    return [f"{tick:,.{digits}f}".replace("-", "−") for tick in ticks]


def _limits(each: CurvePanel) -> tuple[float, float]:
    """What a panel's scale must reach: all of the smoothed curves, 98 % of the points, and 0 where it is near."""
    ends = [end for curve in each.curves for end in _ends(curve.values)]
    low, high = min(ends), max(ends)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        around = abs(low) / 2 or 0.5
        low, high = low - around, high + around
    elif 0 < low <= high / 2:
        low = 0.0
    elif low / 2 <= high < 0:
        high = 0.0
    return low, high


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    smooth = centred_mean(values, window_of(len(values)))
    low, high = np.quantile(values, 0.01, method="lower"), np.quantile(values, 0.99, method="higher")
    return float(min(low, smooth.min())), float(max(high, smooth.max()))
