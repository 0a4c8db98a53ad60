"""`python -m tests.chaos`: load, faults and attacks, one after the other, and a table of what came of each."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from tests.chaos import attacks, faults, loads
from tests.chaos.outcome import Outcome, table

Trial = Callable[[], Outcome]


def trials(*, short: bool) -> list[Trial]:
    """All of them; short ones show the same in a tenth of the time, and fit into a CI machine."""
    times = 3 if short else 20
    seconds = 3.0 if short else 30.0
    mib = 32 if short else 256
    return [
        partial(loads.one_rollout_a_call, 2_000 if short else 50_000),
        partial(loads.a_batch_a_call, 50 if short else 500),
        partial(faults.server_killed, times),
        partial(faults.one_of_two_killed, times),
        partial(faults.worker_killed, times),
        partial(faults.restarted_under_load, 2 if short else 10),
        *(partial(faults.source_fault, name, seconds) for name in faults.SOURCE_FAULTS),
        partial(faults.source_slow, 1.0 if short else 10.0),
        partial(faults.source_killed, seconds if short else 60.0),
        *(partial(faults.source_lie, name) for name in faults.SOURCE_LIES),
        partial(faults.half_open, 3.0 if short else 10.0),
        faults.log_disk_full,
        *(partial(attacks.bodies, name, mib * attacks.MIB, 1) for name in attacks.BODIES),
        partial(attacks.bodies, "white space", mib * attacks.MIB, 4),
        partial(attacks.unfinished, 500 if short else 4_000, 400 * 1024, chunked=False),
        partial(attacks.unfinished, 500 if short else 4_000, 400 * 1024, chunked=True),
    ]


def main(
    short: Annotated[bool, typer.Option("--short", help="The form that CI runs.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file as well.")] = None,
    only: Annotated[str, typer.Option(help="Only trials whose name has this in it, such as 'certainty source'.")] = "",
) -> None:
    """Break the reward server in every way we know, while trainers ask it for rewards.

    Example: python -m tests.chaos --short --only killed
    """
    console = Console(stderr=True)
    outcomes = []
    for trial in track(trials(short=short), "Breaking things", console=console):
        outcome = trial()
        console.print(f"{'good' if outcome.is_good else 'BAD '}  {outcome.name}")
        outcomes.append(outcome)
    Console().print(table(outcomes))
    if json_file is not None:
        json_file.write_text(json.dumps([outcome.as_json() for outcome in outcomes], indent=1), encoding="utf-8")
    raise typer.Exit(0 if all(outcome.is_good for outcome in outcomes) else 1)


typer.run(main)
