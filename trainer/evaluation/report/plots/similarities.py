"""How near texts come to the label's: a histogram for each type and field, with the spec's threshold."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.evaluation.report.numbers import share
from trainer.evaluation.report.plots.sheet import (
    ACCENT,
    INK,
    MUTED,
    RULE,
    SMALL,
    panel,
    scale,
    sheet,
    shortened,
    write,
)
from trainer.evaluation.result import Similarities

_HEAD, _HIGH, _FOOT, _GAP, _LEAST, _MOST = 52.0, 90.0, 32.0, 32.0, 220.0, 380.0
_INSET = 12.0
"""To the left and right of a scale, for the halves of its outermost values."""


def draw_similarities(similarities: Sequence[Similarities], width: int) -> Figure:
    """Draw them beside and below one another."""
    abreast = max(1, min(len(similarities), int((width + _GAP) // (_LEAST + _GAP))))
    wide = min((width - _GAP * (abreast - 1)) / abreast, _MOST)
    lines = -(-len(similarities) // abreast)
    each = _HEAD + _HIGH + _FOOT
    figure = sheet(width, each * lines)
    for index, found in enumerate(similarities):
        line, place = divmod(index, abreast)
        box = (place * (wide + _GAP) + _INSET, each * line + _HEAD, wide - 2 * _INSET, _HIGH)
        _histogram(panel(figure, box, (0.0, 1.0), (1.0, 0.0)), found, wide)
    return figure


def _histogram(axes: Axes, found: Similarities, wide: float) -> None:
    texts, fullest = sum(found.counts), max(found.counts)
    title = shortened(f"{found.type} · {found.field}", wide - 12)
    passing = f"{share(found.passing / texts)} % of {texts:,} pass" if texts else "no text"
    write(axes, (0, 1), title, offset=(-_INSET, 32), bold=True)
    write(axes, (0, 1), passing, offset=(-_INSET, 16), colour=MUTED, size=SMALL)
    scale(axes)
    bins = len(found.counts)
    for index, count in enumerate(found.counts):
        if count:
            left, high = index / bins, count / fullest
            axes.bar(left + 0.08 / bins, high, 0.84 / bins, align="edge", color=ACCENT, alpha=0.8, linewidth=0)
    axes.hlines(0, 0, 1, colors=RULE, linewidth=1)
    axes.vlines(found.threshold, 0, 1.08, colors=INK, linewidth=1.5, linestyles=(0, (3, 2)), clip_on=False)
