"""`shop-r1`, run as a user runs it: the installed command, in an environment without settings of its own."""

from pathlib import Path

from tests import commands
from tests.commands import SHOP_R1 as COMMAND
from tests.commands import Done

__all__ = ["BAD_INPUT", "COMMAND", "WRONG_USAGE", "run"]

BAD_INPUT, WRONG_USAGE = 1, 2


def run(*arguments: object, stdin: bytes | None = None, cwd: Path | None = None, **environment: str) -> Done:
    """`shop-r1 …` on a terminal of 80 columns, unless COLUMNS says otherwise."""
    return commands.run(COMMAND, *arguments, stdin=stdin, cwd=cwd, **environment)
