"""ROUGE-L from integers, against the `rouge-score` package and against arithmetic on paper."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from reward_server.reward.similarity import _WORD_BREAKS, Threshold, Tokenizer, credited_rouge_l, rouge_l, tokenize

PEER = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
THREE_QUARTERS = Threshold.from_decimal(0.75, strict=True)

token_lists = st.lists(st.sampled_from([b"a", b"b", b"c", b"dd"]), max_size=12)


def similarity(prediction: str, target: str, tokenizer: Tokenizer = "rouge-score") -> Fraction:
    result = rouge_l(tokenize(prediction, tokenizer), tokenize(target, tokenizer))
    return Fraction(result.numerator, result.denominator)


def longest_common_subsequence(left: list[bytes], right: list[bytes]) -> int:
    """The textbook table, as a reference."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_compare_as_the_rouge_score_package_compares_them(prediction: str, target: str) -> None:
    assert float(similarity(prediction, target)) == pytest.approx(
        PEER.score(target, prediction)["rougeL"].fmeasure, abs=1e-12
    )


@given(token_lists, token_lists)
def test_the_common_subsequence_is_the_longest(left: list[bytes], right: list[bytes]) -> None:
    expected = Fraction(2 * longest_common_subsequence(left, right), len(left) + len(right)) if left and right else 0
    result = rouge_l(left, right)
    assert Fraction(result.numerator, result.denominator) == expected


@given(token_lists, token_lists, st.sampled_from([0.0, 0.1, 0.5, 0.75, 0.8, 0.99]), st.booleans())
def test_a_similarity_is_credited_exactly_when_it_passes(
    left: list[bytes], right: list[bytes], at: float, strict: bool
) -> None:
    exact = rouge_l(left, right)
    fraction, border = Fraction(exact.numerator, exact.denominator), Fraction(str(at))
    passes = fraction > border if strict else fraction >= border
    threshold = Threshold.from_decimal(at, strict)
    assert exact.passes(threshold) == passes
    assert credited_rouge_l(left, right, threshold) == (float(fraction) if passes else 0.0)


def test_three_quarters_is_three_quarters_where_the_package_rounds_below_it() -> None:
    assert PEER.score("a.b.c.d_e", "a.b.c")["rougeL"].fmeasure == 0.7499999999999999
    assert similarity("a.b.c", "a.b.c.d_e") == Fraction(3, 4)


def test_a_similarity_of_exactly_the_threshold_does_not_exceed_it_but_reaches_it() -> None:
    prediction, target = tokenize("a.b.c", "rouge-score"), tokenize("a.b.c.d_e", "rouge-score")
    assert credited_rouge_l(prediction, target, THREE_QUARTERS) == 0.0
    assert credited_rouge_l(prediction, target, THREE_QUARTERS._replace(strict=False)) == 0.75


def test_a_threshold_means_the_decimal_that_was_written_not_its_nearest_double() -> None:
    four_of_five = [b"a", b"b", b"c", b"d"], [b"a", b"b", b"c", b"d", b"x", b"y"]
    assert Fraction(0.8) > Fraction(4, 5), "the double 0.8 lies above 4/5"
    assert credited_rouge_l(*four_of_five, Threshold.from_decimal(0.8, strict=True)) == 0.0
    assert credited_rouge_l(*four_of_five, Threshold.from_decimal(0.8, strict=False)) == 0.8


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("refinements.customer_reviews.4_stars__up", ["refinements", "customer", "reviews", "4", "stars", "up"]),
        ("", []),
        ("ワイヤレス", []),
        ("café", ["caf"]),
        ("\u212a", ["k"]),  # the Kelvin sign lowers to an ASCII k
        ("İx", ["i", "x"]),  # lowers to i, a combining dot, x
        ("a\x85b\u3000c", ["a", "b", "c"]),
        ("\ud800a", ["a"]),
    ],
)
def test_the_package_s_tokenizer_keeps_only_ascii_letters_and_digits(text: str, tokens: list[str]) -> None:
    assert [token.decode() for token in tokenize(text, "rouge-score")] == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("イヤホン 50%", ["イ", "ヤ", "ホ", "ン", "50"]),
        ("降噪耳机Pro", ["降", "噪", "耳", "机", "pro"]),
        ("무선 이어폰", ["무선", "이어폰"]),
        ("हिन्दी किताब", ["हिन्दी", "किताब"]),
        ("cafe\u0301", ["café"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("Straße", ["strasse"]),
        ("کتاب\u200cخانه", ["کتابخانه"]),
        ("add_to_cart.buy-now 🎁", ["add", "to", "cart", "buy", "now"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("\ud800漢", ["漢"]),
    ],
)
def test_the_unicode_tokenizer_keeps_words_of_every_script_and_single_cjk_characters(
    text: str, tokens: list[str]
) -> None:
    assert [token.decode() for token in tokenize(text, "unicode")] == tokens


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_the_tokenizers_agree_on_ascii(text: str) -> None:
    assert tokenize(text, "unicode") == tokenize(text, "rouge-score")


def test_equal_japanese_texts_count_only_under_the_unicode_tokenizer() -> None:
    assert similarity("ワイヤレスイヤホン", "ワイヤレスイヤホン") == 0
    assert similarity("ワイヤレスイヤホン", "ワイヤレスイヤホン", "unicode") == 1


def test_long_texts_compare_as_short_ones_do() -> None:
    words = [f"w{random.Random(7).randrange(50)}" for _ in range(5_000)]
    assert similarity(" ".join(words), " ".join(words)) == 1
    assert similarity(" ".join(words[:3_000]), " ".join(words)) == Fraction(3, 4)


def test_the_unicode_tokenizer_remembers_a_bounded_number_of_characters() -> None:
    every_han_character = "".join(map(chr, range(0x20000, 0x2A6E0)))
    assert len(tokenize(every_han_character, "unicode")) == 0x2A6E0 - 0x20000
    assert tokenize("降噪 pro", "unicode") == ["降".encode(), "噪".encode(), b"pro"]
    assert len(_WORD_BREAKS) <= 20_000
