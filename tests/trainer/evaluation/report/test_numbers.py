import pytest

from trainer.evaluation.report.numbers import (
    action,
    bounds,
    bracketed,
    number,
    p_value,
    plural,
    share,
    signed,
    visible,
)
from trainer.evaluation.report.parts import Code

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [(27.249, "27.2"), (-0.26, "−0.3"), (-0.04, "0.0"), (12345.6, "12,345.6"), (None, "–"), (NAN, "–"), (-1e400, "–")],
)
def test_numbers_have_one_digit_behind_the_point(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.5, "+0.5"), (0.0, "+0.0"), (-0.5, "−0.5"), (None, "–"), (NAN, "–")])
def test_differences_say_which_way_they_go(value: float | None, text: str) -> None:
    assert signed(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.2725, "27.3"), (1.0, "100.0"), (None, "–")])
def test_shares_are_in_percent(value: float | None, text: str) -> None:
    assert share(value) == text


def test_an_interval_needs_two_numbers() -> None:
    assert bracketed((-0.012, 0.031)) == "[−1.2, 3.1]"
    assert bracketed((NAN, 0.5)) == bracketed(None) == ""
    assert bounds((0.1, float("inf"))) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.001, "0.0010"), (1.0, "1.0000"), (2e-5, "< 0.0001"), (None, "–"), (5e-5, "0.0001")]
)
def test_a_p_value_is_never_shown_as_0(value: float | None, text: str) -> None:
    assert p_value(value) == text


def test_one_is_no_plural() -> None:
    assert [plural(count, "line") for count in (0, 1, 1879)] == ["0 lines", "1 line", "1,879 lines"]


def test_what_cannot_be_printed_is_spelt_out() -> None:
    assert visible("a\tb\x1b[2J\u202e\ud800\ufffe") == "a\\tb\\x1b[2J\\u202e\\ud800\\ufffe"
    assert visible("赤い 帽子 قبعة é 🎩") == "赤い 帽子 قبعة é 🎩"


def test_an_action_is_its_type_and_its_fields() -> None:
    said = action({"name": "search_input", "type": "type_and_submit", "text": "red hat"})
    assert said == ("type_and_submit", " name ", "search_input", " text ", "red hat")
    assert [isinstance(piece, Code) for piece in said] == [True, False, True, False, True]
