"""`shop-r1 data storefront`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from reward_server.terminal import JsonOption, keep_apart, output_file, write_json
from trainer.sessions.files import write_session
from trainer.sessions.schema import Session

Size = Literal["tiny", "full"]


def storefront(
    out: Annotated[Path, typer.Argument(help="The file of sessions to write.")],
    sessions: Annotated[int, typer.Option("--sessions", min=1, help="How many.")] = 1_000,
    size: Annotated[
        Size, typer.Option("--size", help="Pages of about 100 tokens, or as long and messy as a real shop's.")
    ] = "tiny",
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other shoppers.")] = 0,
    raw: Annotated[bool, typer.Option("--raw", help="Keep each page as the shop sent it, too.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Write the sessions of simulated shoppers in a simulated shop, and the best accuracy anyone can reach on them.

    What shoppers do next is partly a matter of chance. How far it can be told from what is visible is known exactly.
    """
    from trainer.sessions.storefront import Storefront, ceiling

    keep_apart({"OUT": out, "--json": json_file})
    console = Console(stderr=True)
    types: Counter[str] = Counter()
    with output_file(out, "OUT") as opened:
        simulated = track(
            Storefront(seed=seed, size=size, raw=raw).sessions(sessions),
            "simulating",
            total=sessions,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        best = ceiling(_written(simulated, opened, types))
    result = {"sessions": sessions, "size": size, "seed": seed, "label_types": dict(sorted(types.items()))}
    Console().print(_types_table(types, f"{sessions:,} sessions, size {size}, seed {seed}"))
    ceilings = Table(title="Best achievable accuracy, from all that is visible", title_justify="left")
    ceilings.add_column("a policy that knows")
    for column in ("exact action", "action type"):
        ceilings.add_column(column, justify="right")
    ceilings.add_row("the pages and actions so far", f"{best.exact:.1%}", f"{best.type:.1%}")
    ceilings.add_row("and the persona", f"{best.exact_with_persona:.1%}", f"{best.type_with_persona:.1%}")
    Console().print(ceilings)
    write_json(json_file, {**result, "ceiling": best._asdict()})


def _written(sessions: Iterable[Session], opened: BinaryIO | None, types: Counter[str]) -> Iterator[Session]:
    """The sessions, each written and its later steps' label types counted as it goes by."""
    for session in sessions:
        if opened is not None:
            opened.write(write_session(session))
        types.update(step.action["type"] for step in session.steps[1:])
        yield session


def _types_table(types: Counter[str], title: str) -> Table:
    table = Table(title=title, title_justify="left", caption="a session's first step aside, which is never predicted")
    table.add_column("label type")
    table.add_column("steps", justify="right")
    table.add_column("share", justify="right")
    for name, number in sorted(types.items()):
        table.add_row(name, f"{number:,}", f"{number / types.total():.1%}")
    return table
