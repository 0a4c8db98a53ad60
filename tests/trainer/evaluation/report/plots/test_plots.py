"""That plots say what they show: the texts in them, and where their marks lie."""

from functools import partial

import pytest
from matplotlib.figure import Figure

from tests.trainer.evaluation.report.sample import an_evaluation, evaluation_of, many_types
from trainer.evaluation.report.plots.confusion import draw_confusion
from trainer.evaluation.report.plots.policies import draw_policies
from trainer.evaluation.report.plots.similarities import draw_similarities
from trainer.evaluation.report.plots.terms import draw_terms
from trainer.evaluation.report.plots.types import TypeFigures, draw_types
from trainer.evaluation.report.policies import policies
from trainer.evaluation.result import Confusion


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_every_policy_has_a_dot_at_its_accuracy() -> None:
    figure = draw_policies(policies(an_evaluation()), 800)
    exact, kind = figure.axes
    assert [line.get_xdata()[0] for line in exact.lines[:2]] == pytest.approx([521 / 1879, 512 / 1879])
    assert [line.get_xdata()[0] for line in kind.lines[:2]] == pytest.approx([684 / 1879, 512 / 1879])
    assert {"the model", "always_click", "27.7", "36.4"} <= set(texts(figure))


def test_panels_stand_below_one_another_where_it_is_narrow() -> None:
    wide, narrow = (draw_policies(policies(an_evaluation()), width) for width in (800, 340))
    assert len({axes.get_position().y0 for axes in wide.axes}) == 1
    assert len({axes.get_position().x0 for axes in narrow.axes}) == 1


def test_no_mark_lies_outside_its_scale() -> None:
    figures = [TypeFigures("click", 0.98, (0.95, 1.0), 0.02, (0.0, 0.05), 1.0)]
    for axes in draw_types(figures, 0.333, 800).axes:
        low, high = axes.get_xlim()
        for bar in axes.patches:
            assert low <= bar.get_window_extent().transformed(axes.transData.inverted()).x1 <= high + 1e-9
        for lines in axes.collections:
            for segment in lines.get_paths():
                assert segment.vertices[:, 0].min() >= low - 1e-9
                assert segment.vertices[:, 0].max() <= high + 1e-9


def test_cells_have_counts_and_shares_of_their_row() -> None:
    found = texts(draw_confusion(an_evaluation().confusion, 800))
    # 71, 452 and 419 of 690, 690 and 512.
    assert {"71", "10 %", "452", "66 %", "419", "82 %", "unknown", "invalid"} <= set(found)


def test_a_matrix_of_thirty_types_fits_a_wide_page() -> None:
    figure = draw_confusion(evaluation_of(many_types(30)).confusion, 800)
    width, _ = figure.get_size_inches() * 72
    assert width <= 800
    assert {"action_00", "action_29", "127"} <= set(texts(figure))


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999"), (1000, "1.0k"), (9949, "9.9k"), (9950, "10k"), (123_456, "123k"), (2_500_000, "2.5M")],
)
def test_large_counts_are_shortened_where_cells_are_small(count: int, text: str) -> None:
    names = [f"t{index}" for index in range(30)]
    matrix = Confusion(labels=["t0"], predictions=names, counts=[[count] + [0] * 29])
    assert text in texts(draw_confusion(matrix, 340))


def test_each_term_has_a_scale_of_its_own() -> None:
    sample = an_evaluation()
    figure = draw_terms({"all": sample.terms.all, **sample.terms.by_label_type}, 800)
    # The largest means are 0.4822, 0.2309, 0.057 and 80.122; the score is in percent.
    assert [axes.get_xlim()[1] for axes in figure.axes] == pytest.approx([0.5, 0.25, 0.06, 100.0, 1.0])


def test_a_negative_mean_reaches_below_0() -> None:
    means = an_evaluation().terms.all.model_copy(update={"value": -3.25})
    value = draw_terms({"all": means}, 800).axes[3]
    assert value.get_xlim()[0] == pytest.approx(-4)
    assert value.patches[0].get_window_extent().transformed(value.transData.inverted()).x0 == pytest.approx(-3.25)


def test_histograms_say_what_passes_and_draw_the_threshold() -> None:
    draw = partial(draw_similarities, an_evaluation().similarities)
    figure = draw(800)
    assert {"type_and_submit · text", "31.4 % of 194 pass"} <= set(texts(figure))
    for axes in figure.axes:
        ends = [path.vertices[:, 0].tolist() for lines in axes.collections for path in lines.get_paths()]
        assert [0.75, 0.75] in ends
    assert len({axes.get_position().x0 for axes in draw(340).axes}) == 1
