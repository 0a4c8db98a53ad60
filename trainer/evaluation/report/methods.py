"""The section on how the figures came about: what they mean, the bootstrap, the lines left out."""

from trainer.evaluation.report.numbers import counted, plural, said, shared
from trainer.evaluation.report.parts import Block, Code, Column, Points, Prose, Row, Section, Table
from trainer.evaluation.report.summary import level
from trainer.evaluation.result import Evaluation
from trainer.evaluation.sentences import FIGURE_NAMES

_FURTHER = ("valid", "type_f1_macro_with_invalid", "session_macro_exact_accuracy", "session_macro_type_accuracy")


def methods(evaluation: Evaluation) -> Section:
    """Further figures, definitions, and what was not counted."""
    blocks: list[Block] = [_further(evaluation), Points(_points(evaluation))]
    if evaluation.first_bad_lines:
        blocks.append(_bad_lines(evaluation))
    return Section("methods", "How these figures were made", blocks)


def _further(evaluation: Evaluation) -> Table:
    rows = [
        Row([said(FIGURE_NAMES[figure]), shared(getattr(evaluation, figure), evaluation.intervals.get(figure))])
        for figure in _FURTHER
    ]
    return Table("Further figures of the model, in percent", [Column("Figure", number=False), Column("%")], rows)


def _points(evaluation: Evaluation) -> list[Prose]:
    return [
        ("Exact: the type and every field of the label are equal as text, letter by letter.",),
        (
            "Exact, ROUGE-L: the same, but a field other than ",
            Code("name"),
            " also matches when its ROUGE-L passes the spec's threshold.",
        ),
        _f1(evaluation),
        _with_invalid(evaluation),
        _sessions(evaluation),
        (_bootstrap(evaluation),),
        *((text,) for text in _gaps(evaluation)),
        *((text,) for text in _left_out(evaluation)),
    ]


def _f1(evaluation: Evaluation) -> Prose:
    names: list[str] = []
    for name in evaluation.type_f1.classes:
        names += [", ", Code(name)]
    return (
        "F1, macro and weighted, average over the action types that occur among the labels (",
        *names[1:],
        "): macro counts each alike, weighted by how many labels it has. An invalid completion, or a type outside "
        "these, is a miss and no class of its own.",
    )


def _with_invalid(evaluation: Evaluation) -> Prose:
    start = "Macro F1 with invalid has "
    if evaluation.type_f1.invalid_counts:
        return (f"{start}a further class for invalid completions, whose F1 is 0.",)
    return (f"{start}no further class here and equals macro F1, for no completion is invalid.",)


def _sessions(evaluation: Evaluation) -> Prose:
    if evaluation.sessions is None:
        return ("There are no means over sessions: the rollouts do not say which session they belong to.",)
    return (
        "Means of sessions take the accuracy within each session first: a long one weighs no more than a short one.",
    )


def _bootstrap(evaluation: Evaluation) -> str:
    bootstrap = evaluation.bootstrap
    alone = (
        f" {plural(bootstrap.alone, 'rollout')} of no {bootstrap.unit} counted as one each." if bootstrap.alone else ""
    )
    if bootstrap.reason is not None:
        return f"There are no intervals: {bootstrap.reason}."
    return (
        f"Intervals are {level(evaluation)} percentile bootstrap intervals: {bootstrap.resamples:,} times, as many "
        f"{bootstrap.unit}s as there are ({bootstrap.clusters:,}) were drawn with replacement, each with all its "
        f"rollouts, and every figure was computed anew (seed {bootstrap.seed}). The same resamples serve the model and "
        f"every baseline.{alone}"
    )


def _gaps(evaluation: Evaluation) -> list[str]:
    return [
        f"{plural(found.resamples_without, 'resample')} held no {name} label; the intervals of {name} leave them out."
        for name, found in evaluation.per_type.items()
        if found.resamples_without
    ]


def _left_out(evaluation: Evaluation) -> list[str]:
    repeated = plural(evaluation.repeated_steps, "rollout")
    stand = "is" if evaluation.repeated_steps == 1 else "are"
    lines = plural(evaluation.bad_lines, "line")
    return [
        f"{repeated} {stand} of a step that an earlier rollout was of, too.",
        f"{lines} could not be scored and {'was' if evaluation.bad_lines == 1 else 'were'} left out.",
    ]


def _bad_lines(evaluation: Evaluation) -> Table:
    shown, lines = len(evaluation.first_bad_lines), evaluation.bad_lines
    caption = "Lines left out" if shown >= lines else f"Lines left out, the first {shown:,} of {lines:,}"
    rows = [
        Row([counted(bad.line), said(Code(bad.pointer)) if bad.pointer else said("the whole line"), said(bad.reason)])
        for bad in evaluation.first_bad_lines
    ]
    columns = [Column("Line"), Column("Field", number=False), Column("Reason", number=False)]
    return Table(caption, columns, rows)
