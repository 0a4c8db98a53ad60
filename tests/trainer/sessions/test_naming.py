"""What elements are called: slugs as UXAgent's parser makes them, and suffixes for clashes."""

import pytest

from trainer.sessions.naming import UniqueNames, slug


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Add to cart", "add_to_cart"),
        ("  4 Stars & Up  ", "4_stars_up"),
        ("$12.99", "12_99"),
        ("already_slugged", "already_slugged"),
        ("a__b - _c_", "a__b__c"),
        ("Wireless Gaming Mouse", "wireless_gaming_mous"),
        ("Red wool hat with a bobble", "red_wool_hat_with_a_"),
        ("ÉTÉ 2024", "t_2024"),
        ("***", ""),
        ("", ""),
        ("帽子", ""),
    ],
)
def test_a_slug_is_lower_case_ascii_words_joined_by_underscores_and_cut_at_20(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("帽子 (赤)", "帽子_赤"),
        ("ÉTÉ 2024", "été_2024"),
        ("قبعة حمراء", "قبعة_حمراء"),
        ("टोपी लाल", "टोपी_लाल"),
        ("Add to cart", "add_to_cart"),
        ("、。！", ""),
    ],
)
def test_with_unicode_names_letters_marks_and_digits_of_every_script_are_kept(text: str, expected: str) -> None:
    assert slug(text, unicode_names=True) == expected


@pytest.mark.parametrize("padding", ["!", " ", "_"])
def test_a_word_is_found_however_much_stands_before_it(padding: str) -> None:
    assert slug(padding * 100_000 + "Hat") == "hat"
    assert slug(padding * 100_000 + "帽子 帽", unicode_names=True) == "帽子_帽"


def test_a_slug_does_not_depend_on_where_a_long_text_is_looked_at() -> None:
    assert slug("ab" + "-" * 195 + "cdefghij" * 4) == "ab_cdefghijcdefghijc"


def test_a_clash_gets_a_numeric_suffix_in_order() -> None:
    names = UniqueNames()
    assert [names.take(name) for name in ("hat", "hat", "scarf", "hat")] == ["hat", "hat1", "scarf", "hat2"]


def test_a_suffix_passes_over_names_that_are_taken() -> None:
    names = UniqueNames()
    assert [names.take(name) for name in ("a", "a1", "a", "a1", "a2", "a")] == ["a", "a1", "a2", "a11", "a21", "a3"]


def test_names_stay_apart_when_very_many_clash() -> None:
    names = UniqueNames()
    taken = [names.take(name) for _ in range(50_000) for name in ("a", "a1")]
    assert len(set(taken)) == 100_000
    assert taken[0:3] == ["a", "a1", "a2"]
