import pytest

from trainer.training_curves.quantity import quantity, signed_quantity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.48216, "0.4822"),
        (0.0001234, "0.0001234"),
        (0.00001234, "1.23e-05"),
        (1.23456, "1.235"),
        (-56.121, "-56.12"),
        (812.345, "812.3"),
        (12345.6, "12,346"),
        (23_456_789.0, "2.35e+07"),
        (-1e100, "-1.00e+100"),
    ],
)
def test_numbers_of_any_size_have_four_digits_or_so(value: float, text: str) -> None:
    assert quantity(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.5, "+0.5"), (-2.0, "-2.000"), (0.0, "0")])
def test_differences_say_which_way_they_go(value: float, text: str) -> None:
    assert signed_quantity(value) == text
