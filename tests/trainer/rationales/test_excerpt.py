"""Pages cut around the element that was acted on."""

import pytest

from trainer.rationales.excerpt import excerpt

FILLER = '<a name="other">another thing</a>'
"""33 characters."""


def test_a_page_within_the_limit_is_left_as_it_is() -> None:
    assert excerpt("<p>a page</p>", "x", 13) == ("<p>a page</p>", False)


@pytest.mark.parametrize("before", [0, 3, 50, 97, 100])
def test_the_element_acted_on_is_in_the_middle_of_what_is_kept(before: int) -> None:
    page = FILLER * before + '<b name="buy">Buy</b>' + FILLER * (100 - before)
    text, is_cut = excerpt(page, "buy", 500)
    assert is_cut
    assert '<b name="buy">Buy</b>' in text
    assert len(text) <= 500 + 2 * 60, "the limit, and two markers"


def test_what_is_left_out_is_marked_with_its_length() -> None:
    page = "x" * 1_000 + '="buy"' + "y" * 994
    text, _ = excerpt(page, "buy", 400)
    # The name stands at 1,000: 200 characters before it are kept, and 200 from it on.
    assert text == (
        "\n[… 800 characters of the page left out …]\n"
        + "x" * 200
        + '="buy"'
        + "y" * 194
        + "\n[… 800 characters of the page left out …]\n"
    )


def test_cuts_fall_between_tags() -> None:
    text, _ = excerpt(FILLER * 50 + '<b name="buy">Buy</b>' + FILLER * 50, "buy", 1_000)
    kept = text.split("…]\n")[1].split("\n[…")[0]
    assert kept.startswith("<")
    assert kept.endswith(">")


@pytest.mark.parametrize("name", [None, "", "nowhere"])
def test_without_an_element_to_find_the_start_of_the_page_is_kept(name: str | None) -> None:
    text, is_cut = excerpt("<h1>Shop</h1>" + FILLER * 100, name, 300)
    assert is_cut
    assert text.startswith("<h1>Shop</h1>")


@pytest.mark.parametrize(
    "element",
    ['<a name="a&amp;b">', "<a name='a&amp;b'>", '<a parser-semantic-id="a&amp;b">', '<a name="a&b">', "<a name=a&b >"],
)
def test_an_element_is_found_however_its_name_is_written(element: str) -> None:
    text, _ = excerpt(FILLER * 100 + element + FILLER * 100, "a&b", 300)
    assert element in text


def test_a_name_that_begins_like_another_is_not_taken_for_it() -> None:
    page = '<a name="buy.later">' + FILLER * 100 + '<a name="buy">' + FILLER * 100
    text, _ = excerpt(page, "buy", 300)
    assert '<a name="buy">' in text
