"""Raw pages simplified: what remains, in which order, and what the interactive elements are called."""

import pytest

from trainer.sessions.simplify import simplify


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
