"""Where the `data` commands take sessions from, and what they say of those they cannot use."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reward_server.reward.spec import RewardSpec
from reward_server.terminal import (
    BAD_INPUT,
    STDIN,
    byte_progress,
    input_file,
    keep_apart,
    keep_the_input,
    printable,
    size_of,
)
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located, SessionRow, read_sessions
from trainer.sessions.rules import LONGEST_PAGE, Rules

BUILT_IN_SESSIONS = 1_000
"""How many sessions of the built-in storefront stand in for a file that is not named."""

_SHOWN = 20

SessionsArgument = Annotated[
    Path | None,
    typer.Argument(
        help=f"Sessions as JSON lines; - is standard input; default: {BUILT_IN_SESSIONS:,} sessions of the storefront.",
        show_default=False,
    ),
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Go on without the bad rows and steps; say how many.")]
AllowOption = Annotated[
    list[Fault] | None, typer.Option("--allow", help="Let a fault pass. Can be given again.", show_default=False)
]
LongestPageOption = Annotated[int, typer.Option("--max-page", min=1, help="Most characters of one page.")]


def the_rules(spec: RewardSpec, longest_page: int = LONGEST_PAGE, allow: Iterable[Fault] | None = None) -> Rules:
    """What is asked of steps, from a command's options."""
    return Rules(spec.action_space, longest_page, frozenset(allow or ()))


@contextmanager
def open_sessions(
    file: Path | None, doing: str, outputs: Mapping[str, Path | None] | None = None
) -> Iterator[Iterator[SessionRow]]:
    """The sessions of a file, or of the built-in storefront, with a progress bar over them.

    Raises typer.BadParameter where an output, by option, is the file being read.
    """
    if file is None:
        keep_apart(outputs or {})
        from trainer.sessions.storefront import Storefront

        yield (
            Located("storefront", number, session)
            for number, session in zip(count(1), Storefront().sessions(BUILT_IN_SESSIONS), strict=False)
        )
        return
    with input_file(file) as source, byte_progress(doing) as progress:
        keep_the_input(source, outputs or {})
        wrapped = progress.wrap_file(source, total=size_of(source) or 0, description=doing)
        yield read_sessions(wrapped, "standard input" if file == STDIN else str(file))


def told_apart(file: Path | None) -> str:
    """What the source is called in results."""
    return "storefront" if file is None else str(file)


class Complaints:
    """Bad rows: counted, the first of them kept to be shown."""

    def __init__(self, skip: bool) -> None:
        """`skip` says whether the command goes on without them."""
        self._skip = skip
        self._first: list[BadRow] = []
        self.faults: Counter[Fault] = Counter()

    def add(self, bad: BadRow) -> None:
        """Count one."""
        self.faults[bad.fault] += 1
        if len(self._first) < _SHOWN:
            self._first.append(bad)

    def as_dict(self) -> dict[str, int]:
        """How many of each, for `--json`."""
        return {fault.value: count for fault, count in sorted(self.faults.items())}

    def show(self) -> None:
        """Name the first on standard error, and how many there are of each fault."""
        if not self.faults:
            return
        console = Console(stderr=True)
        for bad in self._first:
            console.print(f"  {printable(str(bad))}", soft_wrap=True, highlight=False)
        if (more := self.faults.total() - len(self._first)) > 0:
            console.print(f"  and {more:,} more")
        counted = ", ".join(f"{fault.value} {count:,}" for fault, count in self.faults.most_common())
        verdict = "[yellow]left out:[/]" if self._skip else "[red]cannot be used:[/]"
        console.print(f"{verdict} {counted}", soft_wrap=True, highlight=False)

    def settle(self) -> None:
        """Raise typer.Exit where there are any and the command is not to go on without them."""
        if self.faults and not self._skip:
            self.show()
            Console(stderr=True).print("nothing was written; --skip-bad goes on without them", soft_wrap=True)
            raise typer.Exit(BAD_INPUT)


def refuse_nothing(rows: int, what: str) -> None:
    """Raise typer.Exit for an empty data set, saying so."""
    if rows == 0:
        Console(stderr=True).print(f"[red]empty:[/] {printable(what)}", soft_wrap=True, highlight=False)
        raise typer.Exit(BAD_INPUT)
