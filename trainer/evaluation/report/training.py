"""The section on training, and a report of its own on nothing else."""

from collections.abc import Sequence
from functools import partial

from trainer.evaluation.report.numbers import MOST_IN_WORDS, plural, said
from trainer.evaluation.report.parts import (
    Block,
    Cell,
    Code,
    Column,
    Paragraph,
    Plot,
    Points,
    Prose,
    Report,
    Row,
    Section,
    Strong,
    Table,
)
from trainer.evaluation.report.plots.curves import CurveGroup, CurvePanel, RunCurve, draw_curves, points_left_out
from trainer.training_curves.change import LEAST_STEPS
from trainer.training_curves.curves import TrainingCurves
from trainer.training_curves.metrics import PREDICTS, Group, groups, is_share, title_of
from trainer.training_curves.quantity import quantity, signed_quantity
from trainer.training_curves.result import Change, RunChanges, Training
from trainer.training_curves.sentences import objective, outcome


def training_report(curves: TrainingCurves) -> Report:
    """A report on training alone."""
    runs = curves.training.runs
    title: Prose = ("Training of ", Code(runs[0].name)) if len(runs) == 1 else (f"Training of {len(runs)} runs",)
    facts = [("Run" if len(runs) > 1 else "History", (Code(run.file),)) for run in runs]
    blocks = _blocks(curves) if len(runs) == 1 else [_outcomes(curves.training), *_blocks(curves)]
    return Report(title, facts, _verdict(curves.training), [], [Section("training", "Curves", blocks)])


def training_section(curves: TrainingCurves) -> Section:
    """What came of each run, then the plots and the table."""
    return Section("training", "Training", [_outcomes(curves.training), *_blocks(curves)])


def all_curves(curves: TrainingCurves) -> Plot:
    """Every plot in one."""
    shown = [_curve_group(curves, group) for group in groups(curves.metrics)]
    names = [history.name for history in curves.histories]
    return Plot("training", "", "", partial(draw_curves, names, shown))


def _verdict(training: Training) -> Prose:
    if len(training.runs) == 1:
        sentence = _minus(outcome(training.runs[0], training.confidence))
        return (f"{sentence[0].upper()}{sentence[1:]}.",)
    known = [(run.name, run.metrics[key].difference) for run in training.runs if (key := objective(run)) is not None]
    told = known[:MOST_IN_WORDS]
    pieces: list[str] = ["What training optimises changed by "]
    for index, (name, difference) in enumerate(told):
        pieces += [", " if index else "", Strong(_minus(signed_quantity(difference))), " in ", Code(name)]
    end = "." if len(told) == len(known) else ", and so on."
    return (*pieces, end) if known else (f"{len(training.runs)} runs without a reward or a loss.",)


def _outcomes(training: Training) -> Points:
    return Points([(Code(run.name), f": {_minus(outcome(run, training.confidence))}.") for run in training.runs])


def _blocks(curves: TrainingCurves) -> list[Block]:
    plots = [_plot(curves, group) for group in groups(curves.metrics)]
    return [*plots, _table(curves.training), Paragraph((_method(curves.training),))]


def _plot(curves: TrainingCurves, group: Group) -> Plot:
    drawn = _curve_group(curves, group)
    names = [history.name for history in curves.histories]
    draw = partial(draw_curves, names, [drawn])
    return Plot(f"training-{group.name}", _in_words(curves.training, group), _caption(drawn), draw)


def _curve_group(curves: TrainingCurves, group: Group) -> CurveGroup:
    panels = [
        CurvePanel(
            title_of(key),
            [
                RunCurve(run, history.metrics[key].steps, history.metrics[key].values)
                for run, history in enumerate(curves.histories)
                if key in history.metrics
            ],
            factor=100 if is_share(key) else 1,
            whole=_is_whole(key, curves),
        )
        for key in group.metrics
    ]
    return CurveGroup(group.title, panels)


def _is_whole(key: str, curves: TrainingCurves) -> bool:
    """Whether a metric is drawn on the same scale as its like: a predicted type's share, if it is one."""
    values = [history.metrics[key].values for history in curves.histories if key in history.metrics]
    return key.startswith(PREDICTS) and all(each.min() >= 0 and each.max() <= 1 for each in values)


def _caption(drawn: CurveGroup) -> str:
    scale = "all on one scale" if all(each.whole for each in drawn.panels) else "each on a scale of its own"
    left_out = sum(map(points_left_out, drawn.panels))
    beyond = f"; {plural(left_out, 'point')} beyond a scale's ends left out" if left_out else ""
    return (
        f"{drawn.title}, {scale}. Lines: the centred moving mean over the square root of the number of steps. Dots: "
        f"single steps, of long runs not every one{beyond}."
    )


def _in_words(training: Training, group: Group) -> str:
    sentences = []
    for run in training.runs[:MOST_IN_WORDS]:
        known = [f"{title_of(key)} {_from_to(key, run)}" for key in group.metrics if key in run.metrics]
        sentences.append(f"{run.name}: {'; '.join(known) or 'none of them'}.")
    more = len(training.runs) - MOST_IN_WORDS
    rest = f" {plural(more, 'more run')}." if more > 0 else ""
    return f"{group.title}, from the first tenth of the steps to the last. {' '.join(sentences)}{rest}"


def _from_to(key: str, run: RunChanges) -> str:
    factor, change = 100 if is_share(key) else 1, run.metrics[key]
    return f"{_number(factor * change.first)} to {_number(factor * change.last)}"


def _table(training: Training) -> Table:
    names = ["First tenth", "Last tenth", "Difference"]
    columns = [Column("Run", number=False), Column("Metric", number=False), *map(Column, names)]
    keys = [key for group in groups(_all_keys(training)) for key in group.metrics]
    keys += [key for key in _all_keys(training) if key not in keys]
    rows = [
        Row([said(Code(run.name)), _name(key), *_figures(key, run.metrics[key])])
        for run in training.runs
        for key in keys
        if key in run.metrics
    ]
    caption = "Means over the first and the last tenth of the steps, with "
    return Table(f"{caption}{100 * training.confidence:g} % intervals of the difference", columns, rows, folded=True)


def _all_keys(training: Training) -> list[str]:
    return list(dict.fromkeys(key for run in training.runs for key in run.metrics))


def _name(key: str) -> Cell:
    return Cell((Code(key), ", %")) if is_share(key) else said(Code(key))


def _figures(key: str, change: Change) -> Sequence[Cell]:
    factor = 100 if is_share(key) else 1
    first, last = (said(_number(factor * value)) for value in (change.first, change.last))
    if change.points == 1:
        return first, last, said("–")
    between = ""
    if change.interval is not None:
        low, high = (_number(factor * end) for end in change.interval)
        between = f"[{low}, {high}]"
    return first, last, Cell((_minus(signed_quantity(factor * change.difference)),), between)


def _number(value: float) -> str:
    return _minus(quantity(value))


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _method(training: Training) -> str:
    return (
        f"Tenths are of the steps that have a metric, rounded up. Intervals are {100 * training.confidence:g} % "
        f"bootstrap intervals: {training.resamples:,} times, blocks of successive steps were drawn with replacement "
        f"from either tenth, because steps near one another are alike (seed {training.seed}); they are widened for how "
        f"few the blocks are, and there is none below {LEAST_STEPS} steps. In short runs whose noise lasts for many "
        "steps they are still too narrow. They are about the noise between the steps of one run; another run from "
        "another seed may differ by more."
    )
