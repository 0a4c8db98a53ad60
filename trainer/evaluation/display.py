"""Evaluations on a terminal of 80 columns. Shares are in percent, each with its interval below it."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table

from reward_server.terminal import printable
from trainer.bootstrap import Interval
from trainer.evaluation.result import COMPARED, REWARDS, Comparison, Evaluation, Intervals
from trainer.evaluation.sentences import FIGURE_NAMES

_HEADLINES = {
    "exact_accuracy": "exact",
    "exact_accuracy_rouge_l": "exact\nROUGE-L",
    "type_accuracy": "type",
    "type_f1_macro": "F1\nmacro",
    "type_f1_weighted": "F1\nweighted",
}
_PER_TYPE = {
    "exact_accuracy": "exact",
    "exact_accuracy_rouge_l": "exact\nROUGE-L",
    "type_accuracy": "type\n(recall)",
    "precision": "precision",
    "f1": "F1",
}
_P_VALUE = "p = min(1, 2 (1 + min(resamples below or at 0, above or at 0)) / (1 + resamples))"
_FURTHER = (
    "type_f1_macro_with_invalid",
    "session_macro_exact_accuracy",
    "session_macro_type_accuracy",
    "valid",
    "mean_score",
)


def show_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print one run: its headline figures beside the baselines, per type, the rest, and what to know of them."""
    spec, rollouts = evaluation.spec, f"{evaluation.rollouts:,} rollouts"
    of = "" if evaluation.sessions is None else f" of {evaluation.sessions:,} sessions"
    console.print(f"[bold]{printable(evaluation.file)}[/]: {rollouts}{of}", soft_wrap=True, highlight=False)
    console.print(f"spec [bold]{printable(spec.name)}[/] {spec.digest}", soft_wrap=True, highlight=False)
    console.print(_headlines(evaluation))
    console.print(_per_type(evaluation))
    console.print(_further(evaluation))
    for sentence in _notes(evaluation):
        console.print(printable(sentence), highlight=False)
    for warning in evaluation.warnings:
        console.print(f"[yellow]note:[/] {printable(warning)}", highlight=False)


def show_comparison(comparison: Comparison, confidence: float, console: Console) -> None:
    """Print by how many points a run differs from the reference."""
    title = "Difference in points, of rewards as they are"
    table = Table(title=title, title_justify="left", caption=_P_VALUE, caption_justify="left")
    table.add_column("figure")
    for heading in ("difference", f"{100 * confidence:g} % interval", "p"):
        table.add_column(heading, justify="right")
    for figure in (*COMPARED, *REWARDS):
        found = comparison.differences[figure]
        signed = "{:+.4g}".format if figure == "mean_reward" else _points
        between = "-" if found.interval is None else " to ".join(map(signed, found.interval))
        table.add_row(FIGURE_NAMES[figure], signed(found.difference), between, _p_value(found.p_value))
    names = f"[bold]{printable(comparison.file)}[/] against [bold]{printable(comparison.reference)}[/]"
    console.print(names, soft_wrap=True, highlight=False)
    console.print(table)


def _headlines(evaluation: Evaluation) -> Table:
    confidence = 100 * evaluation.bootstrap.confidence
    table = Table(title=f"Headline figures in percent, {confidence:g} % intervals below", title_justify="left")
    table.add_column("policy", overflow="fold")
    for heading in _HEADLINES.values():
        table.add_column(heading, justify="right", no_wrap=True)
    model = {figure: getattr(evaluation, figure) for figure in _HEADLINES}
    table.add_row("[bold]the model", *_cells(model, evaluation.intervals), end_section=True)
    for name, baseline in evaluation.baselines.items():
        figures = {figure: getattr(baseline, figure, None) for figure in _HEADLINES}
        table.add_row(printable(_in_words(name)), *_cells(figures, baseline.intervals))
    return table


def _per_type(evaluation: Evaluation) -> Table:
    table = Table(title="The model per label type, in percent", title_justify="left", show_lines=True)
    table.add_column("label type", overflow="fold")
    for heading in _PER_TYPE.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in evaluation.per_type.items():
        figures = {figure: getattr(found, figure) for figure in _PER_TYPE}
        head = f"{printable(name)}\n[dim]{found.rollouts:,} labels\n{found.predicted:,} predicted"
        table.add_row(head, *_cells(figures, found.intervals))
    return table


def _further(evaluation: Evaluation) -> Table:
    table = Table(title="Further figures of the model", title_justify="left")
    table.add_column("figure")
    table.add_column("percent", justify="right")
    table.add_column("interval", justify="right")
    for figure in _FURTHER:
        value = getattr(evaluation, figure)
        if value is not None:
            table.add_row(FIGURE_NAMES[figure], _percent(value), _between(evaluation.intervals[figure]))
    return table


def _notes(evaluation: Evaluation) -> Iterator[str]:
    classes = ", ".join(evaluation.type_f1.classes)
    counts = (
        "is a further class of F1 0" if evaluation.type_f1.invalid_counts else "would be one more class, but none is"
    )
    yield f"Macro F1 is the mean over the label types ({classes}). In macro F1 with invalid, invalid {counts}."
    ends = evaluation.intervals["mean_reward"]
    between = "" if ends is None else f" ({ends[0]:.4g} to {ends[1]:.4g})"
    yield f"Rewards are without certainty, which needs a model: mean reward {evaluation.mean_reward:.4g}{between}."
    if evaluation.reasons:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in evaluation.reasons.items())
        yield f"Invalid completions: {reasons}."
    for name, baseline in evaluation.baselines.items():
        if baseline.reason is not None:
            yield f"No figures for {name}: {baseline.reason}."


def _cells(values: Mapping[str, float | None], intervals: Intervals) -> list[str]:
    return [
        "-" if value is None else f"{_percent(value)}\n[dim]{_between(intervals.get(figure))}"
        for figure, value in values.items()
    ]


def _p_value(p_value: float | None) -> str:
    if p_value is None:
        return "-"
    return f"{p_value:.4f}" if p_value >= 0.0001 else "< 0.0001"


def _in_words(baseline: str) -> str:
    """A baseline's name, broken where a line may break; the type in it stays whole."""
    kind, found, name = baseline.partition("always_")
    return f"always {name}" if found and not kind else baseline.replace("_", " ")


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _percent(share: float) -> str:
    return "100" if share > 0.9995 else f"{100 * share:.1f}"


def _between(interval: Interval | None) -> str:
    return "" if interval is None else "-".join(map(_percent, interval))
