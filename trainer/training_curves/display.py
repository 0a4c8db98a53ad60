"""Changes over training on a terminal of 80 columns."""

from rich.console import Console
from rich.table import Table

from reward_server.terminal import printable
from trainer.training_curves.change import LEAST_STEPS
from trainer.training_curves.metrics import groups, is_share
from trainer.training_curves.quantity import quantity, signed_quantity
from trainer.training_curves.result import Change, RunChanges, Training
from trainer.training_curves.sentences import outcome


def show_training(training: Training, console: Console) -> None:
    """Print a table per run, with what came of it above."""
    for run in training.runs:
        sentence = printable(outcome(run, training.confidence))
        console.print(f"[bold]{printable(run.name)}[/]: {sentence}", highlight=False)
        console.print(_table(run, training.confidence))
    for note in _notes(training):
        console.print(note, highlight=False)


def _table(run: RunChanges, confidence: float) -> Table:
    table = Table(
        title=f"Steps {run.first_step:,} to {run.last_step:,}: means over the first and the last tenth",
        title_justify="left",
    )
    table.add_column("metric", overflow="fold")
    for heading in ("first\ntenth", "last\ntenth", f"difference\n{100 * confidence:g} % interval"):
        table.add_column(heading, justify="right")
    for group in groups(run.metrics):
        for index, key in enumerate(group.metrics):
            table.add_row(*_row(key, run.metrics[key]), end_section=index == len(group.metrics) - 1)
    return table


def _row(key: str, change: Change) -> tuple[str, str, str, str]:
    factor = 100 if is_share(key) else 1
    difference = "-" if change.points == 1 else signed_quantity(factor * change.difference)
    if change.interval is not None:
        low, high = (quantity(factor * end) for end in change.interval)
        difference += f"\n[dim]{low} to {high}"
    name = f"{printable(key)}, %" if is_share(key) else printable(key)
    return name, quantity(factor * change.first), quantity(factor * change.last), difference


def _notes(training: Training) -> list[str]:
    shown = {key for run in training.runs for group in groups(run.metrics) for key in group.metrics}
    others = {key for run in training.runs for key in run.metrics} - shown
    notes = []
    if any(change.interval is None for run in training.runs for change in run.metrics.values()):
        notes.append(f"An interval takes {LEAST_STEPS} steps that have the metric.")
    if others:
        notes.append(f"--json has {len(others):,} more: {printable(', '.join(sorted(others)[:8]))}.")
    return notes
