"""Raw pages simplified: what remains, in which order, and what the interactive elements are called."""

import re
from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.sessions.page import names_on, well_formed
from trainer.sessions.simplify import MAX_DEPTH, MarkupError, simplify


def test_a_search_form() -> None:
    page = simplify("""
        <!doctype html><html><head><meta charset="utf-8"><title>Shop</title><script>track()</script></head><body>
        <form id="search-form" action="/s" method="get" class="bar">
          <!-- departments -->
          <input type="hidden" name="token" value="abc">
          <input type="text" id="q" name="q" placeholder="Search products" autocomplete="off" class="big">
          <button type="submit"><svg><path d="M0 0"/></svg><span class="label">Search</span></button>
        </form></body></html>""")
    assert page.html == (
        "<title>Shop</title>"
        "<form>"
        '<input name="search_form.search_products" type="text" placeholder="Search products">'
        '<button name="search_form.search" type="submit">Search</button>'
        "</form>"
    )
    assert page.names == ["search_form.search_products", "search_form.search"]


def test_results_with_cards() -> None:
    page = simplify("""
        <main name="search_results"><div class="card" data-key="p1"><div>
          <a href="/p/1" data-key="p1-image"><img src="1.jpg" alt="Red wool hat"></a>
          <h2><a href="/p/1" data-key="p1-title"><span>Red wool hat</span></a></h2>
          <span>$</span><span>12.99</span> <del>$ 20.00</del>
          <p>Ships <b>tomorrow</b>&nbsp;from<br>us</p>
          <button data-key="p1-buy" onclick="buy(1)">Add to cart</button>
        </div></div><div class="card" data-key="p2">
          <a href="/p/2" data-key="p2-title">Red wool hat</a>
          <button data-key="p2-buy" onclick="buy(2)">Add to cart</button>
        </div></main>""")
    assert page.html == (
        "<main><div>"
        '<a name="search_results.red_wool_hat"><img alt="Red wool hat"></a>'
        '<h2><a name="search_results.red_wool_hat1">Red wool hat</a></h2>'
        "$12.99<del>$ 20.00</del>"
        "<p>Ships tomorrow from us</p>"
        '<button name="search_results.add_to_cart">Add to cart</button>'
        "</div><div>"
        '<a name="search_results.red_wool_hat2">Red wool hat</a>'
        '<button name="search_results.add_to_cart1">Add to cart</button>'
        "</div></main>"
    )


def test_a_filter_sidebar() -> None:
    page = simplify("""
        <aside aria-label="Refinements"><section aria-label="Customer reviews"><h3>Customer reviews</h3><ul>
          <li><a href="?r=4"><i class="stars"></i>4 Stars &amp; Up</a>
          <li><a href="?r=3" aria-current="true">3 Stars &amp; Up</a>
        </ul></section></aside>""")
    assert page.html == (
        '<aside aria-label="Refinements"><section aria-label="Customer reviews"><h3>Customer reviews</h3><ul>'
        '<li><a name="refinements.customer_reviews.4_stars_up">4 Stars &amp; Up</a></li>'
        '<li><a name="refinements.customer_reviews.3_stars_up" aria-current="true">3 Stars &amp; Up</a></li>'
        "</ul></section></aside>"
    )


def test_product_options() -> None:
    page = simplify("""
        <label for="size">Size</label>
        <select id="size" name="size"><optgroup label="Kids"><option value="s">Small</option></optgroup>
        <option selected>Large<option disabled>Huge</select>
        <input type="radio" name="colour" value="red" checked="checked"><label for="nothing">Red</label>
        <input type=number name=qty min=1 max=9 step=1 value=1 required>
        <input type="submit" value="Buy now"><button disabled>Notify me</button>""")
    assert page.html == (
        '<label for="small_large_huge">Size</label>'
        '<select name="small_large_huge">'
        '<optgroup label="Kids"><option name="small_large_huge.small" value="s">Small</option></optgroup>'
        '<option name="small_large_huge.large" selected>Large</option><option disabled>Huge</option>'
        "</select>"
        '<input name="colour" type="radio" value="red" checked><label>Red</label>'
        '<input name="qty" type="number" min="1" max="9" step="1" value="1" required>'
        '<input name="buy_now" type="submit" value="Buy now"><button disabled>Notify me</button>'
    )


@pytest.mark.parametrize(
    "part",
    [
        "<script>if (a < b) {}</script>",
        "<style>p{}</style>",
        "<noscript><a href=x>x</a></noscript>",
        "<template><button>x</button></template>",
        "<iframe src=x>x</iframe>",
        "<svg><title>x</title><a href=x><text>x</text></a></svg>",
        "<canvas>x</canvas>",
        "<picture><source srcset=x><img alt=x></picture>",
        "<video><p>x</p></video>",
        "<audio>x</audio>",
        "<object><a href=x>x</a></object>",
        "<embed>",
        "<datalist><option>x</datalist>",
        "<!-- x -->",
        "<?php x ?>",
        "<!x>",
        "<p hidden>x</p>",
        "<p hidden=until-found>x</p>",
        "<p aria-hidden=true>x</p>",
        '<p aria-hidden="TRUE">x</p>',
        "<p style=display:none>x</p>",
        '<p style="color: red; DISPLAY : None ! important;">x</p>',
        '<p style="visibility:hidden">x</p>',
        '<p style="opacity: 0.0">x</p>',
        '<p style="opacity:0%!important">x</p>',
        '<div style="display:none"><div style="display:block"><a href=x>x</a></div></div>',
        "<input type=hidden name=x value=x>",
        '<input type=" Hidden" name=x>',
    ],
)
def test_what_is_not_seen_is_dropped_with_all_that_is_inside(part: str) -> None:
    assert simplify(f"<p>before</p>{part}<p>after</p>") == ("<p>before</p><p>after</p>", [], {})


@pytest.mark.parametrize(
    "attribute",
    [
        "aria-hidden=false",
        "style=display:block",
        'style="display:none; display:block"',
        'style="opacity: 0.5"',
        "style=opacity:",
        "style='background: url(none)'",
        "data-hidden",
        "class=hidden",
    ],
)
def test_what_only_looks_hidden_remains(attribute: str) -> None:
    assert simplify(f"<p {attribute}>hat</p>").html == "<p>hat</p>"


def test_a_page_hidden_as_a_whole_is_read_because_scripts_show_it() -> None:
    assert simplify('<html hidden><body style="opacity:0" onclick="x" aria-label="x"><p>hat').html == "<p>hat</p>"


@pytest.mark.parametrize(
    ("element", "name"),
    [
        ("<a href=x>Hat</a>", "hat"),
        ("<a href=''>Hat</a>", "hat"),
        ("<button>Hat</button>", "hat"),
        ("<summary>Hat</summary>", "hat"),
        ("<area alt=Hat>", "hat"),
        ("<div onclick=x>Hat</div>", "hat"),
        *((f"<div role={role}>Hat</div>", "hat") for role in ("button", "link", "checkbox", "radio", "option", "tab")),
        *((f"<div role='{role}'>Hat</div>", "hat") for role in ("menuitem", "switch", "BUTTON", "link button")),
        ("<input>", "input"),
        ("<textarea></textarea>", "textarea"),
        ("<div contenteditable>Hat</div>", "div"),
        ("<div contenteditable=true aria-label=Note></div>", "note"),
        ("<input readonly placeholder=Date>", "date"),
        ("<x-button onclick=x></x-button>", "x_button"),
    ],
)
def test_interactive_elements_have_a_name(element: str, name: str) -> None:
    assert simplify(element).names == [name]


@pytest.mark.parametrize(
    "element",
    [
        "<a>Hat</a>",
        "<a name=hat>Hat</a>",
        "<div>Hat</div>",
        "<div role=navigation>Hat</div>",
        "<div role>Hat</div>",
        "<div contenteditable=false>Hat</div>",
        "<label>Hat</label>",
        "<button disabled>Hat</button>",
        "<a href=x aria-disabled=true>Hat</a>",
        "<textarea readonly>Hat</textarea>",
        "<textarea disabled>Hat</textarea>",
        "<select disabled><option>Hat</select>",
        "<option>Hat</option>",
        "<img alt=Hat>",
    ],
)
def test_other_elements_have_none(element: str) -> None:
    page = simplify(element)
    assert page.names == []
    assert "Hat" in page.html
    assert " name=" not in page.html


ALL = "title=T placeholder=P value=V alt=A aria-label=L name=N"


@pytest.mark.parametrize(
    ("element", "name"),
    [
        (f"<button {ALL}>X</button>", "x"),
        (f"<button {ALL}></button>", "t"),
        ("<button placeholder=P value=V alt=A aria-label=L name=N></button>", "p"),
        ("<input type=submit value=V alt=A aria-label=L name=N>", "v"),
        ("<input type=Button value=V alt=A aria-label=L name=N>", "v"),
        ("<input type=text value=V alt=A aria-label=L name=N>", "a"),
        ("<button value=V alt=A aria-label=L name=N></button>", "a"),
        ("<a href=x aria-label=L name=N><img alt=I></a>", "l"),
        ("<a href=x name=N><img alt=''><i aria-label=I></i><img alt=J></a>", "i"),
        ("<input name=N>", "n"),
        ("<a href=x></a>", "a"),
        (f"<input {ALL}>", "t"),
        (f"<textarea {ALL}>X</textarea>", "p"),
        ("<textarea title=T aria-label=L name=N>X</textarea>", "l"),
        ("<textarea title=T name=N>X</textarea>", "n"),
        ("<textarea title=T>X</textarea>", "textarea"),
        ("<a href=x title=Hat>***</a>", "hat"),
        ("<a href=x title=帽子>帽</a>", "a"),
    ],
)
def test_a_name_is_the_first_of_its_sources_that_has_a_word(element: str, name: str) -> None:
    assert simplify(element).names == [name]


def test_a_name_is_made_of_visible_text_with_a_break_at_every_block() -> None:
    page = simplify("<a href=x><div>Red</div><div>wool<p hidden>grey</p></div>h<b>a</b>t<br>7</a>")
    assert page.names == ["red_wool_hat_7"]


def test_unicode_names_keep_other_scripts() -> None:
    markup = "<nav aria-label='メニュー'><a href=x>帽子</a><a href=x>帽子</a></nav><a href=x>قبعة حمراء</a>"
    assert simplify(markup, unicode_names=True).names == ["メニュー.帽子", "メニュー.帽子1", "قبعة_حمراء"]
    assert simplify(markup).names == ["a", "a1", "a2"]


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("<div aria-label='Main menu'>", "main_menu.hat"),
        ("<div name=nav_bar>", "nav_bar.hat"),
        ("<nav name=nav_bar id=x>", "nav_bar.hat"),
        ("<nav aria-label='***' id=top>", "top.hat"),
        *((f"<{tag} id=top>", "top.hat") for tag in ("nav", "form", "section", "aside", "article", "fieldset")),
        ("<div id=top>", "hat"),
        ("<a name=top>", "hat"),
        ("<ul aria-label=''>", "hat"),
        ("<div aria-label=A><div aria-label=B>", "a.b.hat"),
        ("<span aria-label=A>", "a.hat"),
        ("<div name=帽子>", "hat"),
    ],
)
def test_a_region_gives_its_name_to_what_is_inside_and_carries_none_itself(region: str, name: str) -> None:
    page = simplify(f"{region}<button>Hat</button>")
    assert page.names == [name]
    assert page.html.count("name=") == 1


def test_regions_inside_one_another_are_told_up_to_the_eighth() -> None:
    regions = "".join(f"<div aria-label=r{number}>" for number in range(1, 12))
    assert simplify(f"{regions}<button>Hat</button>").names == ["r1.r2.r3.r4.r5.r6.r7.r8.hat"]


def test_a_region_is_no_rival_for_a_name() -> None:
    assert simplify("<nav id=hat></nav><button>Hat</button><nav id=hat><a href=x>Hat</a></nav>").names == [
        "hat",
        "hat.hat",
    ]


def test_a_clickable_inside_of_a_clickable_has_no_name_but_a_field_there_has() -> None:
    page = simplify("""<div onclick=x>Hat <button>Buy</button><span role=button>Save</span>
        <input name=qty><textarea placeholder=Note></textarea><select name=size><option>S</select></div>""")
    assert page.html == (
        '<div name="hat_buy_save_s">Hat<button>Buy</button><span role="button">Save</span>'
        '<input name="hat_buy_save_s.qty"><textarea name="hat_buy_save_s.note" placeholder="Note"></textarea>'
        '<select name="hat_buy_save_s.size"><option name="hat_buy_save_s.size.s">S</option></select></div>'
    )


def test_a_clickable_inside_of_a_disabled_one_has_a_name() -> None:
    assert simplify("<div role=button aria-disabled=true><a href=x>Hat</a></div>").names == ["hat"]


def test_clashes_get_suffixes_in_document_order_and_pass_over_real_names() -> None:
    page = simplify("<a href=x>a</a><a href=x>a1</a><a href=x>a</a><a href=x>A</a><input title=a1>")
    assert page.names == ["a", "a1", "a2", "a3", "a11"]


def test_what_is_inside_of_a_renamed_element_takes_its_new_name() -> None:
    select = "<select><option>S<option>S</select>"
    assert simplify(select + select).names == ["s_s", "s_s.s", "s_s.s1", "s_s1", "s_s1.s", "s_s1.s1"]


def test_keys_lead_to_names_and_the_first_of_a_key_wins() -> None:
    page = simplify(
        "<a href=x data-key=1>Hat</a><p data-key=2>Hat</p><a href=x data-key=1>Cap</a><a href=x DATA-KEY='3 '>Cap</a>",
        key="Data-Key",
    )
    assert page.names_by_key == {"1": "hat", "3 ": "cap1"}
    assert "data-key" not in page.html


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("one<p>two</p>three<div>four</div>five", "one<p>two</p>three<div>four</div>five"),
        ("<p> a \n\t b\u00a0\u3000c </p>", "<p>a b c</p>"),
        ("<p><span>$</span><span class=x>12</span><b>.</b><i>99</i> each</p>", "<p>$12.99 each</p>"),
        ("<p>a<br>b<hr>c<wbr>d<wbr/>e</p>", "<p>a b</p>cde"),
        ("a<p></p>b<span></span>c<script></script>d", "a bcd"),
        ("<p>a &lt;b&gt; &amp;amp; \"c\" 'd'</p>", "<p>a &lt;b&gt; &amp;amp; \"c\" 'd'</p>"),
        ("<p>1 < 2 & 3 > 2</p>", "<p>1 &lt; 2 &amp; 3 &gt; 2</p>"),
        ("<textarea readonly><b>x</b></textarea>", "<textarea readonly>&lt;b&gt;x&lt;/b&gt;</textarea>"),
        ("<p>a\0b</p>", "<p>a\ufffdb</p>"),
        ("<p>&#xD800;&#0;</p>", "<p>\ufffd\ufffd</p>"),
    ],
)
def test_text_keeps_its_order_and_loses_its_layout(markup: str, expected: str) -> None:
    assert simplify(markup).html == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<div><div class=x><p>a</p></div></div>", "<p>a</p>"),
        ("<div> <span><p>a</p></span> </div>", "<p>a</p>"),
        ("<div><p>a</p><p>b</p></div>", "<div><p>a</p><p>b</p></div>"),
        ("<div>a<p>b</p></div>", "<div>a<p>b</p></div>"),
        ("<div><div>a</div></div>", "<div>a</div>"),
        ("<div role=list><p>a</p></div>", '<div role="list"><p>a</p></div>'),
        ("<div><p></p><p>a</p><div><i></i></div></div>", "<p>a</p>"),
        ("<span title=x>a</span>", '<span title="x">a</span>'),
        ("a<ul><li></ul>", "a"),
        ("a<form></form><input disabled>", "a<input disabled>"),
        ("a<img src=x>", "a"),
        ("<img alt='A hat'>", '<img alt="A hat">'),
        ("<i class=star title='4 of 5'></i>", '<i title="4 of 5"></i>'),
        (
            "a<select disabled></select><button disabled></button>",
            "a<select disabled></select><button disabled></button>",
        ),
        ("a<div role=img></div>", "a"),
        ("<a href=x></a>", '<a name="a"></a>'),
    ],
)
def test_what_says_nothing_is_flattened(markup: str, expected: str) -> None:
    assert simplify(markup).html == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('id=a class=b href=c src=d tabindex=0 data-x=e style="color:red" aria-controls=f autocomplete=on', ""),
        ("maxlength=9 placeholder=' a  b '", ' maxlength="9" placeholder="a b"'),
        ("CHECKED=checked Required=true multiple", " checked required multiple"),
        ("type=text value='' alt='' title", ' type="text"'),
        ("aria-expanded=false aria-selected=true", ' aria-expanded="false" aria-selected="true"'),
        ("value='a &quot;b&quot; &lt;c&gt; &amp;amp;'", ' value="a &quot;b&quot; &lt;c&gt; &amp;amp;"'),
        ("contenteditable=''", " contenteditable"),
        ("contenteditable=false", ""),
        ("placeholder=a title=a aria-label=a", ' placeholder="a"'),
        ("aria-label=a title=a alt=b", ' aria-label="a" alt="b"'),
        ("placeholder=a value=a", ' placeholder="a" value="a"'),
    ],
)
def test_the_attributes_a_shopper_would_miss_remain(attributes: str, expected: str) -> None:
    assert simplify(f"<input disabled {attributes}>").html == f"<input disabled{expected}>"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p title='Red hat'>Red  <b>hat</b></p>", "<p>Red hat</p>"),
        (
            "<a href=x title='Red hat' aria-label='Hat'><h2>Red hat</h2></a>",
            '<a name="red_hat" aria-label="Hat"><h2>Red hat</h2></a>',
        ),
        ("<select disabled><option value=Red>Red</select>", "<select disabled><option>Red</option></select>"),
        ("<span aria-label='4 of 5'><i>4 of 5</i></span><span>(12)</span>", "4 of 5 (12)"),
    ],
)
def test_attributes_that_repeat_the_text_are_dropped(markup: str, expected: str) -> None:
    assert simplify(markup).html == expected


@pytest.mark.parametrize(
    "markup",
    ["<p>&lt;image></p>", "<img alt='<image>'>", "<image alt=x>hat</image>", "<input value='<image>'>", "<x<image>hat"],
)
def test_the_mark_at_which_openrlhf_splits_a_prompt_never_appears(markup: str) -> None:
    assert "<image" not in simplify(markup).html


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<ul><li>a<li><b>b</ul>c", "<ul><li>a</li><li>b</li></ul>c"),
        ("<p>a<p>b</div>c", "<p>a</p><p>bc</p>"),
        ("<div><a href=x>a</div>b", '<a name="a">a</a>b'),
        ("<TABLE><TR><TD>a<TD>b</TABLE>", "<table><tr><td>a</td><td>b</td></tr></table>"),
        ("<p class=a class=b title=c title=d>e</p>", '<p title="c">e</p>'),
        ("<p title=it's>a</p>", '<p title="it\'s">a</p>'),
        ("<html><body><p>a</p></body></html><p>b</p>", "<p>a</p><p>b</p>"),
        ("<p>a</p><p title='never closed>b", "<p>a</p>"),
        ("<o:p onclick=x>a</o:p>", '<div name="a">a</div>'),
        ('<a"b>x</a"b>', "<div>x</div>"),
        ("<p>a<!-- never closed <p>b", "<p>a</p>"),
        ("</div></p>a<p>", "a"),
    ],
)
def test_malformed_markup_is_recovered_from(markup: str, expected: str) -> None:
    assert simplify(markup).html == expected


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
