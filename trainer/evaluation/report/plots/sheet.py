"""How every plot looks: sizes in pixels, colours by the part they play, no frames, text that is never parsed."""

from unicodedata import east_asian_width

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trainer.evaluation.report.numbers import number, visible

INK, MUTED, RULE, ACCENT, HEAT = "#010101", "#010102", "#010103", "#010104", "#010105"
RUNS = ("#010106", "#010107", "#010108", "#010109", "#01010a", "#01010b")
"""Stand-ins for colours, `RUNS` for those of runs in one plot; `svg` puts the page's, or a file's, in their place."""

OF_A_FILE = {
    INK: "#1b1d22",
    MUTED: "#5b6270",
    RULE: "#e4e6ea",
    ACCENT: "#2458c5",
    HEAT: "#2458c5",
    **dict(zip(RUNS, ("#2458c5", "#d97706", "#0f766e", "#be185d", "#1b1d22", "#6f8f1f"), strict=True)),
}
PAPER = "#ffffff"
"""Colours where no page sets them."""

TEXT, SMALL = 12.0, 11.0
"""Sizes of text."""

_DPI = 72
_GLYPH = 0.58
"""A usual letter's width by its size; an upper bound of what a proportional font needs on average."""


def run_colour(run: int) -> str:
    """The stand-in for the colour of a run, counted from 0; there are six, and then the first again."""
    return RUNS[run % len(RUNS)]


def sheet(width: float, height: float) -> Figure:
    """An empty, transparent figure."""
    return Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="none")


def size_of(figure: Figure) -> tuple[float, float]:
    """Width and height in pixels."""
    width, height = figure.get_size_inches() * _DPI
    return float(width), float(height)


def panel(
    figure: Figure, box: tuple[float, float, float, float], across: tuple[float, float], down: tuple[float, float]
) -> Axes:
    """Bare axes in a box (left, top, width, height); the scales run `across` from the left, `down` from the top."""
    width, height = size_of(figure)
    left, top, wide, high = box
    axes = figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height), facecolor="none")
    axes.set_xlim(*across)
    axes.set_ylim(down[1], down[0])
    axes.axis("off")
    return axes


def scale(axes: Axes, factor: float = 1.0) -> None:
    """Light upright lines with their values below; `factor` is what a value is multiplied by before it is shown."""
    pixels = axes.get_window_extent().width
    lower, upper = axes.get_xlim()
    ticks = MaxNLocator(nbins=max(2, min(5, int(pixels // 60))), steps=[1, 2, 2.5, 5, 10]).tick_values(lower, upper)
    shown = [float(tick) for tick in ticks if lower - 1e-9 <= tick <= upper + 1e-9]
    step = factor * (shown[1] - shown[0]) if len(shown) > 1 else 1.0
    digits = next((digits for digits in range(4) if abs(round(step, digits) - step) < 1e-9), 4)
    bottom, top = axes.get_ylim()
    for tick in shown:
        axes.vlines(tick, top, bottom, colors=RULE, linewidth=1, zorder=0)
        label = number(factor * tick, digits)
        write(axes, (tick, bottom), label, offset=(0, -SMALL - 3), across="center", colour=MUTED, size=SMALL)


def write(
    axes: Axes,
    at: tuple[float, float],
    text: str,
    *,
    offset: tuple[float, float] = (0, 0),
    across: str = "left",
    colour: str = INK,
    size: float = TEXT,
    bold: bool = False,
    turned: float = 0,
) -> None:
    """Text with its baseline at a point of the axes, moved right and up by so many pixels."""
    axes.annotate(
        visible(text),
        at,
        xytext=offset,
        textcoords="offset points",
        ha=across,
        va="baseline",
        color=colour,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        rotation=turned,
        rotation_mode="anchor",
        annotation_clip=False,
        parse_math=False,
    )


def width_of(text: str, size: float = TEXT) -> float:
    """About how wide the text will be, in pixels."""
    return size * sum(1.0 if east_asian_width(c) in "WF" else _GLYPH for c in visible(text))


def shortened(text: str, pixels: float, size: float = TEXT) -> str:
    """The text, its middle left out where it would be wider than that."""
    whole = visible(text)
    if width_of(whole, size) <= pixels:
        return whole
    kept = min(len(whole) - 1, int(pixels / (size * _GLYPH)))
    while kept > 2 and width_of(_cut(whole, kept), size) > pixels:
        kept -= 1
    return _cut(whole, kept)


def _cut(text: str, kept: int) -> str:
    return f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"


def top_of(values: list[float], lowest: float = 0.0) -> float:
    """The end of a scale from 0 on which all the values, and at least `lowest`, find room: 1, 1.5, 2, 2.5, 3, 4, …"""
    largest = max([*values, lowest, 0.0])
    if largest == 0:
        return 1.0
    power = 1.0
    while power >= largest:
        power /= 10
    while power * 10 < largest:
        power *= 10
    return next(power * step for step in (1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if power * step >= largest * (1 - 1e-9))
