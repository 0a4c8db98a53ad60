"""`shop-r1 data split`."""

from contextlib import ExitStack
from math import fsum, isfinite
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reward_server.terminal import JsonOption, output_file, printable, write_json
from trainer.cli.data.sources import Complaints, SessionsArgument, SkipBadOption, open_sessions, refuse_nothing
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import unique, write_session
from trainer.sessions.split import Unit, split_of

_CLOSE_TO_ONE = 1e-9


def split(
    sessions: SessionsArgument = None,
    out: Annotated[Path, typer.Option("--out", help="The folder for NAME.jsonl of each split.")] = Path("splits"),
    by: Annotated[Unit, typer.Option("--by", help="What no two splits may share.")] = "session",
    shares: Annotated[
        list[str] | None, typer.Option("--share", help="NAME=SHARE, again for each.", show_default="train=0.9 test=0.1")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other splits.")] = 0,
    skip_bad: SkipBadOption = False,
    json_file: JsonOption = None,
) -> None:
    """Split sessions so that no session, or no user, is in two splits.

    Where a session goes depends on its id (or its user's) and the seed alone: a data set that grows keeps its splits.
    """
    parts = _shares(shares or ["train=0.9", "test=0.1"])
    complaints = Complaints(skip_bad)
    counts = dict.fromkeys(parts, 0)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from None
    outputs = {f"--share {name}": out / f"{name}.jsonl" for name in parts}
    with ExitStack() as stack:
        opened = [stack.enter_context(output_file(path, option)) for option, path in outputs.items()]
        files = dict(zip(parts, opened, strict=True))
        with open_sessions(sessions, "splitting", {**outputs, "--json": json_file}) as rows:
            for row in unique(rows):
                if isinstance(row, BadRow):
                    complaints.add(row)
                    continue
                name = split_of(row.session, parts, by, seed)
                if name is None:
                    complaints.add(row.bad(Fault.NO_USER, "/user", "a split by user needs to know whose session it is"))
                    continue
                counts[name] += 1
                if (file := files[name]) is not None:
                    file.write(write_session(row.session))
        complaints.settle()
        refuse_nothing(sum(counts.values()), "there are no sessions to split")
    table = Table(title=f"Split by {by}, seed {seed}", title_justify="left")
    table.add_column("split")
    for column in ("sessions", "share", "asked"):
        table.add_column(column, justify="right")
    whole = sum(counts.values())
    for name, count in counts.items():
        table.add_row(printable(name), f"{count:,}", f"{count / whole:.1%}", f"{parts[name]:.1%}")
    Console().print(table)
    complaints.show()
    write_json(json_file, {"by": by, "seed": seed, "sessions": counts, "left_out": complaints.as_dict()})


def _shares(given: list[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            share = float(number)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not NAME=SHARE", param_hint="--share") from None
        if not name or name != Path(name).name or not isfinite(share) or share <= 0 or name in shares:
            raise typer.BadParameter(f"{text!r}: a new name and a share over 0 are needed", param_hint="--share")
        shares[name] = share
    if abs(fsum(shares.values()) - 1) > _CLOSE_TO_ONE:
        raise typer.BadParameter(f"the shares sum to {fsum(shares.values()):g}, not to 1", param_hint="--share")
    return shares
