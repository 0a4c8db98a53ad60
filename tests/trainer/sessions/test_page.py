"""Simplified pages: which names are on them, and whether their markup nests."""

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.sessions.page import names_on, well_formed


@pytest.mark.parametrize(
    ("html", "names"),
    [
        ('<input name="search_input">', ["search_input"]),
        ("<input name='search_input'>", ["search_input"]),
        ("<input name=search_input>", ["search_input"]),
        ("<input name=search_input/>", ["search_input/"]),
        ('<input name="search_input"/>', ["search_input"]),
        ('<INPUT\n\tNAME = "search_input">', ["search_input"]),
        ('<input type="text" checked name="search_input" value="x">', ["search_input"]),
        ('<input checked name="a">', ["a"]),
        ('<input title=">" name="a">', ["a"]),
        ('<input title=\'"\' name="a">', ["a"]),
        ("<input title=it's name='a'>", ["a"]),
        ('<input name="a" name="b">', ["a"]),
        ('<a name="a.b &amp; &quot;c&quot;">', ['a.b & "c"']),
        ('<x-card name="a"><p name="b"></p></x-card>', ["a", "b"]),
        ('<a name="b">1</a><a name="a">2</a><a name="b">3</a>', ["b", "a", "b"]),
        ('<a parser-semantic-id="a" name="raw">', ["a"]),
        ('<a name="raw" parser-semantic-id="a">', ["a"]),
        ('<textarea name="a"><a name="b"></textarea><a name="c">', ["a", "c"]),
    ],
)
def test_a_name_is_found_wherever_it_stands_in_its_tag(html: str, names: list[str]) -> None:
    assert names_on(html) == names


@pytest.mark.parametrize(
    "html",
    [
        "",
        'name="a"',
        '&lt;a name="a"&gt;',
        '<p>5 < 6 name="a"</p>',
        '<!-- <a name="a"> -->',
        '<!--> --><!-- <a name="a"> ',
        '<!doctype name="a">',
        '<?a name="a">',
        '</a name="a">',
        "<input title=' name=\"a\"'>",
        '<input data-name="a" names="a" surname=a>',
        '<input title="<a name=a>">',
        "<input name>",
        '<input name="">',
        '<title><a name="a"></title>',
        '<TEXTAREA><a name="a"></Textarea >',
        '<script>"<a name=a>"</script>',
        '<input name="a"',
        '<input name="a',
        "< a name=a>",
    ],
)
def test_what_is_no_attribute_of_an_element_is_no_name(html: str) -> None:
    assert names_on(html) == []


@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), st.sampled_from("\"'")), max_size=8))
def test_every_name_comes_back(names: list[tuple[str, str]]) -> None:
    html = "".join(f"<a title=x name={quote}{escape(name)}{quote}>{escape(name)}</a>" for name, quote in names)
    assert names_on(html) == [name for name, _ in names]


@pytest.mark.parametrize(
    "html",
    [
        "<p></p>",
        "text<div>a<p>b</p></div>text",
        "<DIV></div >",
        '<input name="a"><img alt="b"><br>',
        "<br/><input />",
        '<a name="x"/><p>y</p>',
        "<a href=x/>y</a>",
        '<a title="</a>">x</a>',
        "<p>1 < 2 > 0</p>",
        "<!-- <b> --><p></p><!-- -- > --><!-->",
        "<!doctype html><p></p>",
        "<ul><li>a<li>b</ul>",
        "<ul><li>a<ul><li>b</ul><li>c</ul>",
        "<p>a<p>b",
        "<div><p>a</div>",
        "<table><thead><tr><th>a<tbody><tr><td>b<td>c</table>",
        "<select><optgroup label=a><option>b<option>c</select>",
        "<dl><dt>a<dd>b</dl>",
        "<html><head><title>a</b></title><body><p>c",
        "<textarea></div></textarea>",
    ],
)
def test_markup_that_nests_is_well_formed(html: str) -> None:
    assert well_formed(html) is None


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("", "no element"),
        ("hat", "no element"),
        ("<!-- <p></p> -->", "no element"),
        ("&lt;p&gt;", "no element"),
        ("<p></p></div>", "`</div>` at character 7 closes nothing"),
        ("</div><div>", "`</div>` at character 0 closes nothing"),
        ("<p>a</p></p>", "`</p>` at character 8 closes nothing"),
        ("<p>a</div>", "`</div>` at character 4 closes nothing"),
        ("<input></input>", "`</input>` at character 7 closes nothing"),
        ("<div>a", "`<div>` opened at character 0 is never closed"),
        ("ab <a>c", "`<a>` opened at character 3 is never closed"),
        ("<p><b>a", "`<b>` opened at character 3 is never closed"),
        ("<div><b></div>", "`<b>` opened at character 5 is never closed"),
        ("<b><i>a</b></i>", "`<i>` opened at character 3 is never closed"),
        ("<ul><li><b>a<li>c</ul>", "`<b>` opened at character 8 is never closed"),
        ("<li><b></ul>", "`</ul>` at character 7 closes nothing"),
        ("<p></p><textarea>a</p>", "`<textarea>` opened at character 7 is never closed"),
        ("<p>a</p><a title='b>c</a>", "the tag at character 8 is never finished"),
        ("<p>a</p", "the tag at character 4 is never finished"),
        ("<p>a</p><!-- <b>", "the comment at character 8 is never finished"),
        ("</" + "x" * 100 + ">", "`</" + "x" * 40 + ">` at character 0 closes nothing"),
    ],
)
def test_the_first_fault_is_told_with_its_place(html: str, reason: str) -> None:
    assert well_formed(html) == reason


N = 300_000
HOSTILE = {
    "tags": "<a " * N,
    "quotes": '<a b="' * N,
    "equals": "<a " + "= " * N + ">",
    "white space": "<a name" + " " * N + ">",
    "attributes": "<a" + " name" * N + ">",
    "less than": "<" * N,
    "comments": "<!-- " * N,
    "declarations": "<!" * N,
    "titles": "<title></titl" * N,
    "deep": "<div>" * N + "</div>" * N,
    "deep and never closed": "<li>" + "<div>" * N + "</li>",
    "closes nothing": "<div>" * N + "</a>",
    "left open": "<div>" + "<p>" * N + "</li>",
    "optional": "<ul>" + "<li>" * N + "</ul>",
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_pages_are_read_once(html: str) -> None:
    """Each would take minutes if its time grew with the square of its size."""
    assert names_on(html) == []
    assert well_formed(html) is None or len(str(well_formed(html))) < 120
