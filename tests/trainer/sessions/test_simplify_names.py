"""What elements are called on a simplified page, and which of them are."""

import pytest

from trainer.sessions.simplify import simplify


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
