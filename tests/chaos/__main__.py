"""`python -m tests.chaos`: load, faults and attacks, one after the other, and a table of what came of each."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from tests.chaos.outcome import table
from tests.chaos.trials import trials


def main(
    short: Annotated[bool, typer.Option("--short", help="The form that CI runs.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file as well.")] = None,
    only: Annotated[str, typer.Option(help="Only trials whose name begins so, such as 'source'.")] = "",
) -> None:
    """Break the reward server in every way we know, while trainers ask it for rewards.

    Example: python -m tests.chaos --short --only server
    """
    console = Console(stderr=True)
    outcomes = []
    by_name = trials(short=short)
    chosen = [trial for name, trial in by_name.items() if name.startswith(only)]
    if not chosen:
        raise typer.BadParameter(f"--only {only}: no trial's name begins so; there are {', '.join(by_name)}")
    for trial in track(chosen, "Breaking things", console=console):
        outcome = trial()
        console.print(f"{'good' if outcome.is_good else 'BAD '}  {outcome.name}")
        outcomes.append(outcome)
    Console(width=None if sys.stdout.isatty() else 160).print(table(outcomes))
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps([outcome.as_json() for outcome in outcomes], indent=1), encoding="utf-8")
    raise typer.Exit(0 if all(outcome.is_good for outcome in outcomes) else 1)


typer.run(main)
