"""A plot -> PNG, on white paper, for where SVG is not shown."""

import warnings
from io import BytesIO

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.text import Text

from trainer.evaluation.report.parts import Plot
from trainer.evaluation.report.plots.sheet import OF_A_FILE, PAPER

_DPI = 144
"""Two dots for each pixel of the plot."""


def png(plot: Plot, width: int) -> bytes:
    """The plot as a PNG file, twice as many dots wide as `width` says pixels, and a margin."""
    drawing = BytesIO()
    with matplotlib.style.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)(Glyph|Matplotlib currently does not support)")
        figure = plot.draw(width)
        for artist in figure.findobj(include_self=False):
            _colour(artist)
        figure.savefig(drawing, format="png", dpi=_DPI, facecolor=PAPER, bbox_inches="tight", pad_inches=0.2)
    return drawing.getvalue()


def _colour(artist: Artist) -> None:
    """Put the colour in that the artist's own stands for."""
    if isinstance(artist, Line2D | Text):
        artist.set_color(_real(artist.get_color()))
    elif isinstance(artist, PathPatch):
        artist.set_edgecolor(_real(artist.get_edgecolor()))
    elif isinstance(artist, Collection):
        artist.set_edgecolor([_real(colour) for colour in artist.get_edgecolor()])


def _real(colour: object) -> str:
    stand_in = to_hex(colour)  # type: ignore[arg-type]
    return OF_A_FILE.get(stand_in, stand_in)
