"""The part of a report on several runs that compares them with the first."""

from collections.abc import Sequence
from functools import partial
from itertools import takewhile

from trainer.evaluation.report.headlines import SHORT_NAMES
from trainer.evaluation.report.numbers import (
    MOST_IN_WORDS,
    bounds,
    bracketed,
    from_to,
    p_value,
    plain_bracketed,
    plural,
    said,
    shared,
    signed,
)
from trainer.evaluation.report.parts import (
    Block,
    Cell,
    Code,
    Column,
    Paragraph,
    Plot,
    Prose,
    Row,
    Section,
    Strong,
    Table,
)
from trainer.evaluation.report.plots.differences import RunDifference, draw_differences
from trainer.evaluation.report.summary import level
from trainer.evaluation.result import COMPARED, REWARDS, Comparison, Difference, Runs
from trainer.evaluation.sentences import FIGURE_NAMES, percent


def comparison_facts(runs: Runs) -> list[tuple[str, Prose]]:
    """Which runs, and which of them the others are held against."""
    reference = runs.runs[0]
    counts = " / ".join(f"{count:,}" for count in dict.fromkeys(run.rollouts for run in runs.runs))
    return [
        ("Reference", (Code(reference.file),)),
        *(("Run", (Code(run.file),)) for run in runs.runs[1:]),
        ("Rollouts in each", (counts,)),
        ("Reward spec", (Code(reference.spec.name),)),
        ("Digest of the spec", (Code(reference.spec.digest),)),
    ]


def comparison_verdict(runs: Runs) -> Prose:
    """How exact accuracy differs in the first runs, in one sentence."""
    pieces: list[str] = ["Exact accuracy is ", Strong(percent(runs.runs[0].exact_accuracy)), " in the reference"]
    names = short_names([run.file for run in runs.runs])
    for name, run, comparison in list(zip(names[1:], runs.runs[1:], runs.comparisons, strict=True))[:MOST_IN_WORDS]:
        exact = comparison.differences["exact_accuracy"]
        pieces += [", ", Strong(percent(run.exact_accuracy)), " in ", Code(name), f" ({_in_words(exact)})"]
    more = len(runs.comparisons) - MOST_IN_WORDS
    return (*pieces, f"; {plural(more, 'more run')} below." if more > 0 else ".")


def comparison_section(runs: Runs) -> Section:
    """Plot and tables of the differences, and the figures side by side."""
    blocks: list[Block] = [_plot(runs), _differences(runs), _side_by_side(runs), Paragraph((_method(runs),))]
    return Section("comparison", "Comparison", blocks)


def _plot(runs: Runs) -> Plot:
    names = short_names([run.file for run in runs.runs])[1:]
    figures = [(_capital(figure), _marks(figure, names, runs.comparisons)) for figure in COMPARED]
    exact = [f"{each.file} {_in_words(each.differences['exact_accuracy'])}" for each in runs.comparisons]
    more = f"; {len(exact) - MOST_IN_WORDS} more" if len(exact) > MOST_IN_WORDS else ""
    in_words = f"Exact accuracy minus that of the reference: {'; '.join(exact[:MOST_IN_WORDS])}{more}."
    caption = "Right of the line is better than the reference. Where an interval includes 0, it may be chance."
    return Plot("differences", in_words, caption, partial(draw_differences, figures))


def _marks(figure: str, names: Sequence[str], comparisons: Sequence[Comparison]) -> list[RunDifference]:
    found = [comparison.differences[figure] for comparison in comparisons]
    return [RunDifference(n, each.difference, bounds(each.interval)) for n, each in zip(names, found, strict=True)]


def short_names(files: Sequence[str]) -> list[str]:
    """The files without the folders that all of them lie in."""
    paths = [file.split("/") for file in files]
    shared_folders = takewhile(
        lambda folders: len(set(folders)) == 1, zip(*(path[:-1] for path in paths), strict=False)
    )
    number_shared = len(list(shared_folders))
    return ["/".join(path[number_shared:]) for path in paths]


def _capital(figure: str) -> str:
    name = FIGURE_NAMES[figure]
    return name[0].upper() + name[1:]


def _in_words(found: Difference) -> str:
    ends = bounds(found.interval)
    words = f"{signed(100 * found.difference)} points"
    if ends is not None:
        words += f", {from_to(ends)}"
    return words if found.p_value is None else f"{words}, p {_equals(p_value(found.p_value))}"


def _equals(shown: str) -> str:
    return shown if shown.startswith("<") else f"= {shown}"


def _differences(runs: Runs) -> Table:
    columns = [Column(name, number=index > 1) for index, name in enumerate(("Run", "Figure", "Difference", "p"))]
    rows = [
        Row([said(Code(each.file)), said(FIGURE_NAMES[figure]), *_difference(figure, each.differences[figure])])
        for each in runs.comparisons
        for figure in (*COMPARED, *REWARDS)
    ]
    caption = f"Run minus reference, in points (rewards as they are), with {level(runs.runs[0])} intervals"
    return Table(caption, columns, rows)


def _difference(figure: str, found: Difference) -> tuple[Cell, Cell]:
    if figure == "mean_reward":
        shown = Cell((signed(found.difference, 2),), plain_bracketed(found.interval))
    else:
        shown = Cell((signed(100 * found.difference),), bracketed(found.interval))
    return shown, said(p_value(found.p_value))


def _side_by_side(runs: Runs) -> Table:
    columns = [Column("Run", number=False), *(Column(SHORT_NAMES[figure]) for figure in COMPARED)]
    rows = [
        Row([said(Code(run.file)), *(shared(getattr(run, figure), run.intervals.get(figure)) for figure in COMPARED)])
        for run in runs.runs
    ]
    return Table(f"The runs in percent, with {level(runs.runs[0])} intervals; the reference first", columns, rows)


def _method(runs: Runs) -> str:
    bootstrap = runs.runs[0].bootstrap
    if bootstrap.reason is not None:
        return f"There are no intervals: {bootstrap.reason}."
    return (
        f"Every resample draws the same {bootstrap.unit}s in a run as in the reference, so what makes a "
        f"{bootstrap.unit} hard for both does not blur the difference. p is two-sided: twice the share of resampled "
        f"differences on the rarer side of 0, and with {bootstrap.resamples:,} resamples never below "
        f"{2 / (bootstrap.resamples + 1):.1g}. It is not corrected for comparing many runs or figures."
    )
