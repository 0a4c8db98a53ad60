import pytest

from trainer.evaluation.report.plots.sheet import panel, scale, sheet, shortened, top_of, width_of, write


@pytest.mark.parametrize(
    ("values", "top"),
    [([0.29, 0.1], 0.3), ([0.3], 0.3), ([0.31], 0.4), ([812.0], 1000.0), ([1.2], 1.5), ([0.0], 1.0), ([], 1.0)],
)
def test_a_scale_ends_on_the_next_round_number(values: list[float], top: float) -> None:
    assert top_of(values) == pytest.approx(top)


def test_a_scale_can_have_a_least_end() -> None:
    assert top_of([0.001], 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("text", ["type_and_submit" * 4, "検索する" * 10, "x" * 100_000])
def test_a_text_is_cut_in_its_middle_to_fit(text: str) -> None:
    cut = shortened(text, 120)
    assert width_of(cut) <= 120
    start, end = cut.split("…")
    assert text.startswith(start)
    assert text.endswith(end)
    assert abs(len(start) - len(end)) <= 1


def test_a_text_that_fits_stays() -> None:
    assert shortened("click", 120) == "click"


def test_the_values_of_a_scale_have_the_digits_they_need() -> None:
    axes = panel(sheet(400, 100), (0, 0, 300, 80), (0.0, 0.1), (0.0, 1.0))
    scale(axes)
    assert [text.get_text() for text in axes.texts] == ["0.00", "0.02", "0.04", "0.06", "0.08", "0.10"]


def test_a_scale_can_be_in_percent() -> None:
    axes = panel(sheet(400, 100), (0, 0, 300, 80), (-0.2, 0.2), (0.0, 1.0))
    scale(axes, 100)
    assert [text.get_text() for text in axes.texts] == ["−20", "−10", "0", "10", "20"]


def test_dollars_are_no_formula() -> None:
    axes = panel(sheet(100, 100), (0, 0, 90, 90), (0.0, 1.0), (0.0, 1.0))
    write(axes, (0, 0), "$5 and $6")
    (text,) = axes.texts
    assert not text.get_parse_math()
