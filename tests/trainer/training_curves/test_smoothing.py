import numpy as np
import pytest

from trainer.training_curves.smoothing import centred_mean, window_of


@pytest.mark.parametrize(
    ("points", "window"), [(1, 1), (3, 1), (4, 3), (9, 3), (15, 3), (16, 5), (100, 11), (10_000, 101), (100_000, 317)]
)
def test_the_window_is_the_square_root_of_the_length_made_odd(points: int, window: int) -> None:
    assert window_of(points) == window


def test_the_mean_is_over_the_points_around_and_at_the_ends_over_those_there_are() -> None:
    values = np.array([1.0, 2.0, 6.0, 4.0, 11.0])
    # (1+2)/2, (1+2+6)/3, (2+6+4)/3, (6+4+11)/3, (4+11)/2
    assert centred_mean(values, 3) == pytest.approx([1.5, 3, 4, 7, 7.5])


def test_a_window_of_one_and_one_wider_than_the_curve_are_possible() -> None:
    values = np.array([1.0, 2.0, 6.0])
    assert centred_mean(values, 1) == pytest.approx(values)
    assert centred_mean(values, 99) == pytest.approx([3, 3, 3])


def test_constant_values_stay_exactly_what_they_are() -> None:
    assert set(centred_mean(np.full(1000, 0.1), 31)) == {0.1}


def test_it_is_what_a_convolution_gives_in_the_middle() -> None:
    values = np.random.default_rng(0).normal(size=200)
    peer = np.convolve(values, np.full(15, 1 / 15), mode="valid")
    assert centred_mean(values, 15)[7:-7] == pytest.approx(peer)


def test_the_largest_numbers_that_a_history_can_hold_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        assert np.isfinite(centred_mean(np.array([1e100, -1e100] * 1000), 45)).all()
