"""What `shop-r1 evaluate --table` does: check a published table and print what its rows come to."""

from io import TextIOWrapper
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from reward_server.reward.spec import RewardSpec
from reward_server.terminal import BAD_INPUT, STDIN, input_file, keep_the_input, printable, write_json
from trainer.evaluation.published import TableError, read_table
from trainer.evaluation.table import CheckedTable, Overall, check_table


def check_published(file: Path, spec: RewardSpec, json_file: Path | None) -> None:
    """Read, check and print a table. Raises typer.Exit where it cannot be true, or its overall figures do not fit."""
    name = "standard input" if file == STDIN else str(file).encode(errors="replace").decode()
    with input_file(file) as source:
        keep_the_input(source, {"--json": json_file})
        try:
            runs = read_table(TextIOWrapper(source, encoding="utf-8-sig", newline=""), spec.action_space)
        except TableError as error:
            Console(stderr=True).print(f"[red]{printable(name)}:[/] {printable(str(error))}", soft_wrap=True)
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="--table") from None
    checked = check_table(name, runs, spec)
    _show(checked, Console())
    write_json(json_file, checked.model_dump(mode="json"))
    if not checked.fits:
        raise typer.Exit(BAD_INPUT)


def _show(checked: CheckedTable, console: Console) -> None:
    table = Table(title="Overall accuracy in percent, from the rows", title_justify="left")
    table.add_column("run", overflow="fold")
    for heading in ("exact", "published", "type", "published"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for run in checked.runs:
        overall = (run.exact_accuracy, run.type_accuracy)
        cells = [text for found in overall for text in (f"{100 * found.value:.2f}", found.published or "-")]
        table.add_row(printable(run.run), *cells, _verdict(overall))
    console.print(table)
    console.print(_baselines(checked))
    for run in checked.runs:
        for warning in run.warnings:
            console.print(f"[red]{printable(run.run)}:[/] {printable(warning)}", highlight=False)
    for warning in checked.warnings:
        console.print(f"[yellow]note:[/] {printable(warning)}", highlight=False)


def _verdict(overall: tuple[Overall, ...]) -> str:
    if any(found.fits is False for found in overall):
        return "[red]does not fit"
    if any(found.printing == "cut" for found in overall):
        return "fits if cut"
    return "fits" if any(found.fits for found in overall) else "-"


def _baselines(checked: CheckedTable) -> Table:
    """A table of the baselines, once for all runs with the same label counts."""
    table = Table(title="Trivial policies on the same labels, in percent", title_justify="left")
    table.add_column("policy", overflow="fold")
    table.add_column("labels of", overflow="fold")
    for heading in ("exact", "type", "F1 macro", "F1 weighted"):
        table.add_column(heading, justify="right", no_wrap=True)
    firsts = {tuple(run.by_label_type.items()): run for run in reversed(checked.runs)}
    for run in sorted(firsts.values(), key=checked.runs.index):
        whose = "all runs" if len(firsts) == 1 else printable(run.run)
        for name, found in run.baselines.items():
            figures = (found.exact_accuracy, found.type_accuracy, found.type_f1_macro, found.type_f1_weighted)
            table.add_row(printable(name), whose, *(f"{100 * figure:.2f}" for figure in figures))
    return table
