"""A plot -> SVG: the same bytes for the same plot, small, and at home in a page of any colour or in a file."""

import re
import warnings
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import matplotlib.style
from lxml import etree

from trainer.evaluation.report.numbers import visible
from trainer.evaluation.report.parts import Plot
from trainer.evaluation.report.plots.sheet import ACCENT, HEAT, INK, MUTED, OF_A_FILE, PAPER, RULE, RUNS, size_of

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LONG = re.compile(r"-?\d+\.\d{3,}")
"""Coordinates finer than any screen."""
_BOX = ("x", "y", "width", "height")
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_STYLE: list[Any] = ["default", {"svg.fonttype": "none", "svg.hashsalt": "shop-r1"}]
"""Text stays text: it is small, can be searched, and the reader's fonts have the glyphs; and ids that do not vary."""

_OF_THE_PAGE = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    ACCENT: "var(--accent)",
    HEAT: "var(--heat)",
    **{colour: f"var(--run-{index})" for index, colour in enumerate(RUNS, 1)},
}
_MARGIN = 16


def inline(plot: Plot, width: int, name: str) -> str:
    """An `svg` element for an HTML page that sets the colours; `name` keeps its ids apart from those of other plots."""
    root, across, down = _drawn(plot, width, name, _OF_THE_PAGE)
    _frame(root, 0, 0, across, down)
    root.set("aria-label", visible(plot.alt))
    return _text(root)


def standalone(plot: Plot, width: int) -> str:
    """An SVG file, on white paper, because it does not know what page will show it."""
    root, across, down = _drawn(plot, width, "plot", OF_A_FILE)
    frame = (-_MARGIN, -_MARGIN, across + 2 * _MARGIN, down + 2 * _MARGIN)
    _frame(root, *frame)
    root.set("font-family", _FONTS)
    paper = etree.Element(f"{_SVG}rect", {**dict(zip(_BOX, map("{:g}".format, frame), strict=True)), "fill": PAPER})
    title = etree.Element(f"{_SVG}title")
    title.text = visible(plot.alt)
    root[:0] = [title, paper]
    return _text(root) + "\n"


def _drawn(plot: Plot, width: int, name: str, colours: Mapping[str, str]) -> tuple[etree._Element, float, float]:
    """The plot as SVG without what a page has no use for, its width and its height."""
    drawing = BytesIO()
    with matplotlib.style.context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)(Glyph|Matplotlib currently does not support)")
        figure = plot.draw(width)
        figure.savefig(drawing, format="svg", metadata=_NO_METADATA)
    root = etree.fromstring(drawing.getvalue(), etree.XMLParser(remove_comments=True, remove_blank_text=True))
    for element in list(root.iter(f"{_SVG}style", f"{_SVG}clipPath")):
        element.getparent().remove(element)
    used = {element.get(_HREF)[1:] for element in root.iter(f"{_SVG}use")}
    for element in root.iter():
        _tidy(element, name, used, colours)
    _unpack(root)
    del root.attrib["version"]
    root.set("role", "img")
    root.set("stroke-linejoin", "round")
    return root, *size_of(figure)


def _frame(root: etree._Element, *frame: float) -> None:
    root.set("viewBox", " ".join(map("{:g}".format, frame)))
    root.set("width", f"{frame[2]:g}")
    root.set("height", f"{frame[3]:g}")


def _tidy(element: etree._Element, name: str, used: set[str], colours: Mapping[str, str]) -> None:
    element.attrib.pop("clip-path", None)
    identity = element.attrib.pop("id", None)
    if identity in used:
        element.set("id", f"{name}-{identity}")
    if _HREF in element.attrib:
        element.set("href", f"#{name}-{element.attrib.pop(_HREF)[1:]}")
    if "d" in element.attrib:
        element.set("d", _LONG.sub(lambda found: f"{float(found[0]):.2f}", " ".join(element.get("d").split())))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if "style" in element.attrib:
        _restyle(element, colours)


def _restyle(element: etree._Element, colours: Mapping[str, str]) -> None:
    kept = []
    for rule in element.attrib.pop("style").split(";"):
        key, _, value = (part.strip() for part in rule.partition(":"))
        if key == "font":  # matplotlib before 3.11 writes all of a font at once: 700 12px 'DejaVu Sans', …
            *weight, size = value.partition("'")[0].split()
            kept += [f"font-size:{size}", *(f"font-weight:{each}" for each in weight)]
        elif key != "font-family":
            kept.append(f"{key}:{colours.get(value, value)}")
    element.set("style", ";".join(kept))


def _unpack(root: etree._Element) -> None:
    """Take out invisible paths, and groups that group nothing."""
    for path in list(root.iter(f"{_SVG}path")):
        if path.get("style") == "fill:none":
            path.getparent().remove(path)
    for group in reversed(list(root.iter(f"{_SVG}g", f"{_SVG}defs"))):
        parent = group.getparent()
        if not len(group):
            parent.remove(group)
        elif group.tag == f"{_SVG}g" and not group.attrib:
            at = parent.index(group)
            parent[at : at + 1] = list(group)


def _text(root: etree._Element) -> str:
    etree.cleanup_namespaces(root)
    return str(etree.tostring(root, encoding="unicode"))
