"""Pages as they come: broken, hostile, in other encodings, and whatever hypothesis thinks of."""

import re
from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.sessions.page import names_on, well_formed
from trainer.sessions.simplify import MAX_DEPTH, MarkupError, simplify


def test_bytes_are_decoded_first() -> None:
    page = simplify('<meta charset="windows-1252"><a href=x>café</a>'.encode("cp1252"))
    assert page.html == '<a name="caf">café</a>'


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("<p>café</p>".encode() + b"<p>caf\xe9</p>", "mixed encodings: the page is read as utf-8, and byte 18 is not"),
        ("<p>\udc80", "character 3 is half of a surrogate pair"),
        ("", "empty"),
        (b"", "empty"),
        ("hat", "no element"),
        ("<!-- <p>hat</p> -->", "no element"),
        ("<div></div><script>render()</script>", "nothing on the page can be seen"),
        ("<p hidden>hat</p>", "nothing on the page can be seen"),
        ("<p", "nothing on the page can be seen"),
    ],
)
def test_what_no_page_can_be_made_of_is_refused(markup: str | bytes, reason: str) -> None:
    with pytest.raises(MarkupError, match=reason):
        simplify(markup)


def test_nothing_is_lost_down_to_the_greatest_depth() -> None:
    inside = MAX_DEPTH - 3  # html, body and the link
    markup = "<div>" * inside + "<a href=x>Hat</a>" + "</div>" * inside + "<p>after</p>"
    assert simplify(markup).html == '<a name="hat">Hat</a><p>after</p>'


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, 100_000])
@pytest.mark.parametrize("hidden", ["", "<p>hat</p><div hidden>", "<svg>"])
def test_beyond_that_a_page_is_refused_instead_of_cut(depth: int, hidden: str) -> None:
    with pytest.raises(MarkupError, match="more than 1,024 deep"):
        simplify(hidden + "<div>" * depth + "hat")


VOID_TAGS = (
    *("area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param", "source", "track"),
    *("wbr", "bgsound", "image", "keygen"),
)


@pytest.mark.parametrize("tag", VOID_TAGS)
def test_no_void_tag_takes_what_follows_with_it(tag: str) -> None:
    html = simplify(f"<div><p>before</p><{tag} class=x><p>after</p></div><p>last</p>").html
    assert re.sub("<(area|input)[^>]*>", "", html) == "<div><p>before</p><p>after</p></div><p>last</p>"


HOSTILE = {
    "attributes": "<p " + " ".join(f"a{number}=1" for number in range(300_000)) + ">hat",
    "one name": "<a href=x>Hat</a>" * 100_000,
    "titles around a text": "<span title=hat>" * 1000 + "hat " * 300_000,
    "titles around pieces": "<span title=hat>" * 1000 + "hat" + "<p></p>" * 100_000,
    "regions": "<div aria-label='a rather long label'>" * 1000 + "<input>" * 50_000,
    "fields in fields": "<div contenteditable aria-label='a rather long label'>" * 1000 + "<input>" * 50_000,
    "selects in options": "<select><option>" * 400 + "hat " * 300_000,
    "clickables in clickables": "<div onclick=x>hat" * 1000 + "hat " * 300_000,
    "no word": "<a href=x>" + "!" * 1_000_000,
    "a style": "<p style='opacity:" + "0" * 1_000_000 + "x'>hat",
    "word breaks": "<p>hat" + "<wbr>hat" * 300_000,
    "word breaks never closed": "<wbr " * 300_000 + "><p>hat",
    "comments never closed": "<p>hat" + "<!--" * 300_000,
}


@pytest.mark.parametrize("markup", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_pages_take_no_longer_than_others(markup: str) -> None:
    """Each would take minutes, or gigabytes, if time or names grew with the square of the page."""
    page = simplify(markup)
    assert len(page.html) < 40_000_000
    assert names_on(page.html) == page.names


WORDS = st.sampled_from(["Red", "hat ", " 4 & up", "<b>", "帽子", "&amp;", '"', "  ", "<image>", "a1", "a", "\x1b[31m"])
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        (
            *("href", "title", "aria-label", "name", "id", "role", "placeholder", "type", "onclick", "class", "alt"),
            *("contenteditable", "value", "for", "checked", "disabled", "readonly"),
        )
    ),
    st.one_of(WORDS, st.sampled_from(["button", "submit", "true", ""])),
    max_size=4,
)
TAGS = st.sampled_from(
    (
        *("div", "span", "a", "button", "p", "ul", "li", "section", "nav", "label", "select", "option", "textarea"),
        *("input", "img", "br", "form", "table", "x-card", "b", "h2"),
    )
)


def _element(tag: str, attributes: dict[str, str], inside: list[str]) -> str:
    head = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{head}>" + ("" if tag in ("input", "img", "br") else "".join(inside) + f"</{tag}>")


TREES = st.recursive(
    WORDS.map(escape),
    lambda inside: st.builds(_element, TAGS, ATTRIBUTES, st.lists(inside, max_size=4)),
    max_leaves=25,
)


@given(TREES.map(lambda tree: f"<p>x</p>{tree}"), st.booleans())
def test_every_name_is_on_the_simplified_page_once_and_in_order(markup: str, unicode_names: bool) -> None:
    page = simplify(markup, unicode_names=unicode_names)
    assert names_on(page.html) == page.names
    assert len(set(page.names)) == len(page.names)
    assert well_formed(page.html) is None
    assert "<image>" not in page.html


@given(st.text(alphabet="<>/!-=\"' abdipu&;#x0\0\n帽", max_size=80))
def test_any_text_is_simplified_or_refused(markup: str) -> None:
    try:
        page = simplify(markup)
    except MarkupError:
        return
    assert names_on(page.html) == page.names
    assert well_formed(page.html) in (None, "no element")


@given(st.lists(st.tuples(st.sampled_from(["p", "div", "li", "td", "h2"]), WORDS), min_size=1, max_size=12))
def test_all_text_remains_in_its_order(parts: list[tuple[str, str]]) -> None:
    html = simplify("<p>x</p>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in parts)).html
    words = unescape(re.sub("<[^>]*>", " ", html)).split()
    assert words == ["x", *" ".join(text for _, text in parts).split()]
