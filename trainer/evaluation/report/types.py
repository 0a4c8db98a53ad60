"""The sections on action types: accuracies per label type, and what was predicted in place of what."""

from functools import partial

from trainer.evaluation.report.headlines import with_intervals
from trainer.evaluation.report.numbers import bounds, counted, said, shared
from trainer.evaluation.report.parts import Cell, Code, Column, Plot, Row, Section, Table
from trainer.evaluation.report.plots.confusion import draw_confusion
from trainer.evaluation.report.plots.types import TypeFigures, draw_types
from trainer.evaluation.report.policies import best_constant
from trainer.evaluation.result import Confusion, Evaluation, PerType
from trainer.evaluation.sentences import percent

_FIGURES = {
    "exact_accuracy": "Exact",
    "exact_accuracy_rouge_l": "Exact, ROUGE-L",
    "type_accuracy": "Type (recall)",
    "precision": "Precision",
    "f1": "F1",
}
_MOST_IN_WORDS = 8


def per_type(evaluation: Evaluation) -> Section:
    """Plot and table of the figures per label type."""
    caption = f"Per label type, in percent{with_intervals(evaluation)}"
    columns = [Column("Label type", number=False), *map(Column, ("Labels", "Predicted", *_FIGURES.values()))]
    rows = [_row(name, found, evaluation.rollouts) for name, found in evaluation.per_type.items()]
    return Section("types", "By action type", [_plot(evaluation), Table(caption, columns, rows)])


def confusion(evaluation: Evaluation) -> Section:
    """Plot and table of the confusion matrix."""
    matrix = evaluation.confusion
    caption = (
        "Rows are labels, columns predictions. The stronger a cell's colour, the larger its share of the row's labels; "
        "the numbers are counts, with that share where there is room. Framed cells are right. unknown: a type that the "
        "reward spec does not have; invalid: not in the required form."
    )
    plot = Plot("confusion", _mix_ups(matrix), caption, partial(draw_confusion, matrix))
    columns = [Column("Label", number=False), *map(Column, matrix.predictions)]
    rows = [
        Row([said(Code(name)), *map(counted, counts)])
        for name, counts in zip(matrix.labels, matrix.counts, strict=True)
    ]
    table = Table("Rollouts by label (rows) and prediction (columns)", columns, rows, folded=True)
    return Section("confusion", "What was predicted in place of what", [plot, table])


def _plot(evaluation: Evaluation) -> Plot:
    random = evaluation.baselines.get("random")
    chance = None if random is None else random.type_accuracy
    types = [_figures(evaluation, name, found) for name, found in evaluation.per_type.items()]
    caption = "Bars: the model, with intervals." if evaluation.bootstrap.reason is None else "Bars: the model."
    if any(each.constant for each in types):
        caption += " Dashed at exact accuracy: the best baseline that always predicts this very type."
    if chance is not None:
        caption += f" Dashed at type accuracy: a type drawn at random, {percent(chance)}."
    caption += " On its own type, a policy that always predicts it has a type accuracy of 100 %."
    return Plot("types", _in_words(evaluation), caption, partial(draw_types, types, chance))


def _figures(evaluation: Evaluation, name: str, found: PerType) -> TypeFigures:
    exact, kind = (bounds(found.intervals.get(figure)) for figure in ("exact_accuracy", "type_accuracy"))
    constant = best_constant(evaluation, name)
    return TypeFigures(name, found.exact_accuracy, exact, found.type_accuracy, kind, constant)


def _in_words(evaluation: Evaluation) -> str:
    parts = [
        f"{name}: exact accuracy {percent(found.exact_accuracy)}, type accuracy {percent(found.type_accuracy)}"
        for name, found in evaluation.per_type.items()
    ]
    return _first(parts, "label types")


def _mix_ups(matrix: Confusion) -> str:
    parts = []
    for name, counts in zip(matrix.labels, matrix.counts, strict=True):
        labels = sum(counts)
        if labels:
            most = max(range(len(counts)), key=lambda column: counts[column])
            right = counts[matrix.predictions.index(name)] / labels
            text = f"of {labels:,} {name} labels, {percent(right)} were predicted as {name}"
            if matrix.predictions[most] != name:
                text += f" and most, {percent(counts[most] / labels)}, as {matrix.predictions[most]}"
            parts.append(text)
    return _first(parts, "label types")


def _first(parts: list[str], things: str) -> str:
    shown = "; ".join(parts[:_MOST_IN_WORDS])
    more = len(parts) - _MOST_IN_WORDS
    return f"{shown}; {more} more {things} in the table." if more > 0 else f"{shown}."


def _row(name: str, found: PerType, rollouts: int) -> Row:
    labels, predicted = (
        Cell((f"{count:,}",), percent(count / rollouts)) for count in (found.rollouts, found.predicted)
    )
    figures = [shared(getattr(found, figure), found.intervals.get(figure)) for figure in _FIGURES]
    return Row([said(Code(name)), labels, predicted, *figures])
