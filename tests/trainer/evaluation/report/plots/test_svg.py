import matplotlib
import pytest
from lxml import etree
from matplotlib.figure import Figure

from tests.trainer.evaluation.report.silence import no_warnings
from trainer.evaluation.report.parts import Plot
from trainer.evaluation.report.plots.rows import Panel, RowName, dot, rows_plot
from trainer.evaluation.report.plots.svg import inline, standalone

SVG = "{http://www.w3.org/2000/svg}"
NAME = "قبعة 検索 $x$ <b> \u202e\x1b\ud800"


def draw(width: int) -> Figure:
    panel = Panel("Share, %", (0.0, 1.0), lambda axes: dot(axes, 0.5, 0, True, (0.4, 0.6)), ["50.0"], 100)
    return rows_plot(width, [RowName(NAME, strong=True)], [panel])


PLOT = Plot("shares", f"one share: 50 % of {NAME}", "", draw)


def test_text_stays_text_and_is_shown_whole() -> None:
    root = etree.fromstring(inline(PLOT, 600, "a"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    shown = "قبعة 検索 $x$ <b> \\u202e\\x1b\\ud800"
    assert {"Share, %", "50.0", shown} <= set(texts)
    assert root.get("aria-label") == f"one share: 50 % of {shown}"


def test_the_font_is_the_pages_but_not_its_size() -> None:
    root = etree.fromstring(inline(PLOT, 600, "a"))
    title, *_ = root.iter(f"{SVG}text")
    rules = title.get("style").split(";")
    assert {"font-size:12px", "font-weight:700"} <= set(rules)
    assert "DejaVu" not in etree.tostring(root, encoding="unicode")


def test_glyphs_that_no_font_of_matplotlib_has_cause_no_warning(capfd: pytest.CaptureFixture[str]) -> None:
    with no_warnings():
        inline(PLOT, 600, "a")
    assert capfd.readouterr() == ("", "")


def test_the_colours_of_a_page_are_the_pages_and_those_of_a_file_its_own() -> None:
    page, file = inline(PLOT, 600, "a"), standalone(PLOT, 600)
    assert {"var(--ink)", "var(--accent)", "var(--rule)"} <= {part.strip(";\"'") for part in _colours(page)}
    assert not [colour for colour in _colours(page) if colour.startswith("#")]
    assert not [colour for colour in _colours(file) if colour.startswith("var")]
    assert not [colour for colour in _colours(file) if colour.startswith("#0101")]


def test_ids_are_told_apart_by_the_name_and_refer_to_one_another() -> None:
    first, second = (etree.fromstring(inline(PLOT, 600, name)) for name in ("a", "b"))
    ids = {element.get("id") for element in first.iter() if element.get("id")}
    assert ids
    assert all(identity.startswith("a-") for identity in ids)
    assert {use.get("href") for use in first.iter(f"{SVG}use")} == {f"#{identity}" for identity in ids}
    assert not ids & {element.get("id") for element in second.iter()}


def test_a_users_own_settings_change_nothing() -> None:
    usual = inline(PLOT, 600, "a")
    own = {"svg.fonttype": "path", "lines.linewidth": 9.0, "axes.facecolor": "red", "savefig.dpi": 300, "font.size": 30}
    with matplotlib.rc_context(own):
        assert inline(PLOT, 600, "a") == usual


def test_a_drawing_holds_nothing_that_a_page_must_not_have() -> None:
    drawing = inline(PLOT, 600, "a")
    root = etree.fromstring(drawing)
    assert {etree.QName(element).localname for element in root.iter()} <= {"svg", "g", "defs", "path", "use", "text"}
    assert drawing.startswith("<svg ")


def test_a_drawing_is_as_wide_as_asked_for() -> None:
    assert [etree.fromstring(inline(PLOT, width, "a")).get("width") for width in (340, 800)] == ["340", "800"]


def _colours(drawing: str) -> list[str]:
    styles = [element.get("style", "") for element in etree.fromstring(drawing).iter()]
    rules = [rule.partition(":") for style in styles for rule in style.split(";")]
    return [value for key, _, value in rules if key in ("fill", "stroke") and value != "none"]
