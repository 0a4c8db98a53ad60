"""`shop-r1 data check`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from reward_server.terminal import BAD_INPUT, JsonOption, SpecOption, printable, the_spec, write_json
from trainer.cli.data.sources import (
    AllowOption,
    Complaints,
    LongestPageOption,
    open_sessions,
    refuse_nothing,
    the_rules,
    told_apart,
)
from trainer.sessions.audit import Audit
from trainer.sessions.rules import LONGEST_PAGE
from trainer.sessions.split import Unit


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Session files; several are the splits of one data set.", show_default="the storefront"),
    ] = None,
    apart: Annotated[Unit, typer.Option("--apart", help="What two files must not share.")] = "session",
    spec: SpecOption = "shop-r1",
    longest_page: LongestPageOption = LONGEST_PAGE,
    allow: AllowOption = None,
    json_file: JsonOption = None,
) -> None:
    """Name every broken row, every label whose element is not on its page, and every leak between splits.

    Exit status 1 where anything is found.
    """
    complaints = Complaints(skip=False)
    audit = Audit(the_rules(the_spec(spec), longest_page, allow), apart, complaints.add)
    sources: list[Path | None] = [*files] if files else [None]
    for file in sources:
        with open_sessions(file, "checking", {"--json": json_file}) as rows:
            audit.add(rows, told_apart(file))
    audit.close()
    figures = audit.as_dict()
    Console().print(_table(figures))
    odd = audit.pairing.verdict == "after"
    _say_pairing(str(audit.pairing), odd)
    complaints.show()
    write_json(json_file, figures)
    refuse_nothing(audit.rows, "there are no sessions to check")
    if odd or complaints.faults:
        raise typer.Exit(BAD_INPUT)
    Console().print("[green]nothing is wrong[/]")


def _say_pairing(found: str, odd: bool) -> None:
    console = Console(stderr=odd)
    console.print(printable(found), soft_wrap=True, highlight=False)
    if odd:
        console.print(
            "[red]pages are stored after their action:[/] each belongs to the step after; "
            "`shop-r1 data shopcart` pairs them rightly",
            soft_wrap=True,
        )


def _table(figures: dict[str, Any]) -> Table:
    table = Table(title="Sessions", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for key in ("rows", "sessions", "users", "users_in_several_files", "sessions_without_user", "steps"):
        table.add_row(key.replace("_", " "), f"{figures[key]:,}")
    for name, number in figures["label_types"].items():
        table.add_row(f"  {printable(name)}", f"{number:,}")
    table.add_row("steps with rationale", f"{figures['steps_with_rationale']:,}")
    table.add_row("pages", f"{figures['pages']:,}")
    if figures["pages"]:
        table.add_row("  mean characters", f"{figures['mean_page_characters']:,.0f}")
        table.add_row("  longest", f"{figures['longest_page_characters']:,}")
    return table
