"""That the curves lie where the values are, on scales that hold them, and that runs can be told apart."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from trainer.evaluation.report.plots.curves import CurveGroup, CurvePanel, RunCurve, draw_curves, points_left_out
from trainer.evaluation.report.plots.sheet import OF_A_FILE, RUNS


def curve(values: list[float], run: int = 0, first: int = 1) -> RunCurve:
    return RunCurve(run, np.arange(first, first + len(values)), np.array(values, dtype=np.float64))


def drawn(*panels: CurvePanel, runs: tuple[str, ...] = ("grpo",), width: int = 800) -> Figure:
    return draw_curves(runs, [CurveGroup("Group", panels)], width)


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def titled(figure: Figure, title: str) -> Axes:
    (found,) = [axes for axes in figure.axes if title in texts(axes)]
    return found


def dots(axes: Axes) -> list[tuple[float, float]]:
    """The middles of the dots."""
    found = []
    for patch in axes.patches:
        assert isinstance(patch, PathPatch)
        found += [tuple(pair.mean(axis=0)) for pair in patch.get_path().vertices.reshape(-1, 2, 2)]
    return found


def test_the_line_is_the_smoothed_curve_and_the_dots_are_the_values() -> None:
    axes = titled(drawn(CurvePanel("reward", [curve([1, 2, 6, 4, 11])])), "reward")
    (line,) = axes.lines
    assert line.get_xdata() == pytest.approx([1, 2, 3, 4, 5])
    # Five points have a window of three: (1+2)/2, (1+2+6)/3, (2+6+4)/3, (6+4+11)/3, (4+11)/2.
    assert line.get_ydata() == pytest.approx([1.5, 3, 4, 7, 7.5])
    assert dots(axes) == [pytest.approx(point) for point in [(1, 1), (2, 2), (3, 6), (4, 4), (5, 11)]]


def test_each_panel_has_a_scale_of_its_own_but_those_that_are_whole() -> None:
    figure = drawn(
        CurvePanel("value", [curve([900, 1000, 980])]),
        CurvePanel("type", [curve([0.1, 0.3, 0.2])]),
        CurvePanel("click, %", [curve([0.1, 0.3, 0.2])], factor=100, whole=True),
    )
    assert titled(figure, "value").get_ylim() == (900, 1000)
    assert titled(figure, "type").get_ylim() == pytest.approx((0, 0.3))
    whole = titled(figure, "click, %")
    assert whole.get_ylim() == (0, 1)
    assert {"0", "50", "100"} <= set(texts(whole))


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0.5, 0.5, 0.5], (0.2, 0.8)),
        ([0.0, 0.0], (-0.5, 0.5)),
        ([-3.0, -1.0], (-3, 0)),
        ([-1.0, 1.0], (-1, 1)),
        ([2e-6, 1e-6], (0, 2e-6)),
    ],
)
def test_a_scale_ends_on_round_numbers_around_the_values(values: list[float], ends: tuple[float, float]) -> None:
    axes = titled(drawn(CurvePanel("m", [curve(values)])), "m")
    assert axes.get_ylim() == pytest.approx(ends)


def test_small_and_large_numbers_are_written_short() -> None:
    figure = drawn(CurvePanel("lr", [curve([2e-6, 1e-6])]), CurvePanel("big", [curve([0.0, 2e7])]))
    assert {"0", "1e−06", "2e−06"} <= set(texts(titled(figure, "lr")))
    assert {"0", "1e+07", "2e+07"} <= set(texts(titled(figure, "big")))


def test_a_spike_does_not_flatten_the_rest_and_is_counted() -> None:
    panel = CurvePanel("kl", [curve([0.01] * 5_000 + [1.0] + [0.01] * 5_000)])
    assert points_left_out(panel) == 1
    axes = titled(drawn(panel), "kl")
    # The spike, over the 101 points of the window, is (1 + 100 · 0.01) / 101 = 0.0198.
    assert axes.get_ylim()[1] == pytest.approx(0.02)
    assert max(up for _, up in dots(axes)) == 0.01


def test_runs_share_their_panels_and_steps_and_differ_in_colour_and_in_style() -> None:
    names = tuple(f"run-{index}" for index in range(8))
    panel = CurvePanel("reward", [curve([index, index + 1.0], index, 1 + index) for index in range(8)])
    figure = drawn(panel, runs=names)
    axes = titled(figure, "reward")
    assert axes.get_xlim() == (1, 9)
    looks = [(to_hex(line.get_color()), line.get_linestyle(), str(line._dash_pattern)) for line in axes.lines]
    assert len(set(looks)) == 8
    assert len({style for _, *style in map(list, looks) for style in [str(style)]}) == 6
    assert [colour for colour, *_ in looks] == [*RUNS, *RUNS[:2]]
    legend = [sample for sample in figure.axes if set(texts(sample)) & set(names)]
    assert [(to_hex(sample.lines[0].get_color()), str(sample.lines[0]._dash_pattern)) for sample in legend] == [
        (colour, dashes) for colour, _, dashes in looks
    ]


def test_the_steps_of_a_panel_reach_as_far_as_the_runs_in_it() -> None:
    figure = drawn(
        CurvePanel("reward", [curve([1.0] * 40), curve([2.0] * 30, 1)]),
        CurvePanel("gpt_loss", [curve([3.0] * 843, 2)]),
        runs=("grpo", "short", "sft"),
    )
    assert titled(figure, "reward").get_xlim() == (1, 40)
    assert titled(figure, "gpt_loss").get_xlim() == (1, 843)


def test_colours_of_runs_stand_out_from_paper() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    # WCAG 2: 3 to 1 for graphics.
    assert all(1.05 / (luminance(OF_A_FILE[run]) + 0.05) >= 3 for run in RUNS)
    assert len({OF_A_FILE[run] for run in RUNS}) == len(RUNS)


def test_panels_stand_below_one_another_where_it_is_narrow() -> None:
    panels = [CurvePanel(f"m{index}", [curve([0, 1])]) for index in range(6)]
    wide, narrow = (drawn(*panels, width=width) for width in (800, 340))
    lefts = [
        {round(titled(figure, f"m{index}").get_position().x0, 3) for index in range(6)} for figure in (wide, narrow)
    ]
    assert [len(each) for each in lefts] == [3, 1]


def test_a_legend_goes_on_in_the_next_row_and_long_names_are_shortened() -> None:
    names = ("a" * 200, "b" * 30, "c" * 30)
    figure = drawn(CurvePanel("m", [curve([0, 1], run) for run in range(3)]), runs=names, width=340)
    heights = [titled(figure, name).get_position().y0 for name in names[1:]]
    assert heights[0] > heights[1]
    assert any("…" in text for axes in figure.axes for text in texts(axes))


def test_one_step_is_one_dot() -> None:
    axes = titled(drawn(CurvePanel("reward", [curve([0.9], first=0)])), "reward")
    assert not axes.lines
    assert dots(axes) == [pytest.approx((0, 0.9))]
    assert {"step 0", "1"} <= set(texts(axes))
    assert "step −1" not in texts(axes)


def test_titles_are_written_only_where_there_are_several_groups() -> None:
    groups = [CurveGroup(name, [CurvePanel(f"of {name}", [curve([0, 1])])]) for name in ("First", "Second")]
    alone, both = (draw_curves(["a"], some, 800) for some in (groups[:1], groups))
    assert not any("First" in texts(axes) for axes in alone.axes)
    assert titled(both, "First").get_position().y0 > titled(both, "of First").get_position().y0
    assert titled(both, "of First").get_position().y0 > titled(both, "Second").get_position().y0


def test_a_long_run_is_drawn_with_no_more_points_than_there_is_room_for() -> None:
    axes = titled(drawn(CurvePanel("reward", [curve([float(step % 7) for step in range(100_000)])])), "reward")
    assert len(axes.lines[0].get_xdata()) <= 385
    assert len(dots(axes)) <= 200
    assert axes.lines[0].get_xdata()[[0, -1]].tolist() == [1, 100_000]


def test_no_mark_lies_outside_its_scale() -> None:
    values = [*np.random.default_rng(0).standard_cauchy(500)]
    axes = titled(drawn(CurvePanel("kl", [curve(values)])), "kl")
    low, high = axes.get_ylim()
    heights = [*axes.lines[0].get_ydata(), *(up for _, up in dots(axes))]
    assert low <= min(heights) <= max(heights) <= high
