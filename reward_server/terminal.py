"""What the commands of both packages share: options, files in and out, progress, the machine-readable result."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from reward_server.reward.spec import RewardSpec, SpecError
from reward_server.specs import find_spec

if TYPE_CHECKING:
    from rich.progress import Progress

BAD_INPUT = 1
"""Exit status for input with faults in it, and for a check that failed; wrong usage is 2."""

SpecOption = Annotated[str, typer.Option("--spec", help="A preset's name or a TOML file.", envvar="REWARD_SPEC")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Also write the result to this file, as JSON.")]


def printable(text: str) -> str:
    """Text for a rich console: neither its markup nor a control character in it does anything to the terminal."""
    return escape(visible(text))


def visible(text: str) -> str:
    """Text with its control characters written out; for where rich takes no markup."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def the_spec(name_or_file: str) -> RewardSpec:
    """The spec an option names. Raises typer.BadParameter."""
    try:
        return find_spec(name_or_file)
    except SpecError as error:
        raise typer.BadParameter(printable(str(error))) from None


def forgive_terminals() -> None:
    """Let a terminal that cannot show a character show its number, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


STDIN = Path("-")
"""What a user writes in place of a file to have standard input read."""


def standard_input() -> BinaryIO:
    """Standard input as bytes. Raises typer.BadParameter when it is closed."""
    stream = sys.stdin
    if stream is None:
        raise typer.BadParameter("standard input is closed")
    return stream.buffer


@contextmanager
def input_file(file: Path) -> Iterator[BinaryIO]:
    """The file, or standard input for `-`, opened for reading bytes. Raises typer.BadParameter naming it."""
    if file == STDIN:
        yield standard_input()
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    with opened:
        yield opened


def size_of(source: BinaryIO) -> int | None:
    """Bytes of an opened file; None where that is not known in advance, as for a pipe."""
    try:
        return os.fstat(source.fileno()).st_size or None
    except OSError:
        return None


def keep_the_input(source: BinaryIO, outputs: Mapping[str, Path | None]) -> None:
    """Raise typer.BadParameter where an output, by option, would overwrite the input or another output."""
    for option, path in outputs.items():
        if path is not None and path.is_file() and os.path.samestat(path.stat(), os.fstat(source.fileno())):
            raise typer.BadParameter(f"{path} is the file being read", param_hint=option)
    keep_apart(outputs)


def keep_apart(outputs: Mapping[str, Path | None]) -> None:
    """Raise typer.BadParameter where two outputs, by option, are one file."""
    taken: dict[str, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise typer.BadParameter(f"{path} is already taken by {other}", param_hint=option)


def byte_progress(doing: str) -> "Progress":
    """A progress bar over bytes read, on standard error; silent where that is no terminal."""
    # Imported here, so that the server starts without them.
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(TextColumn(doing), *columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def output_file(file: Path | None, option: str) -> Iterator[BinaryIO | None]:
    """The file an option names, opened for writing; None without the option. Raises typer.BadParameter naming it.

    A file appears under its name only once it is whole; until then it is `NAME.part`, which goes if the command fails.
    Folders that it is to lie in are made.
    """
    if file is None:
        yield None
        return
    if file.is_symlink():
        file = file.resolve()
    part = file.with_name(f"{file.name}.part") if file.is_file() or not file.exists() else file
    try:
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as opened:
                yield opened
            if part != file:
                part.replace(file)
        finally:
            if part != file:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint=option) from None


def write_json(file: Path | None, result: Any) -> None:
    """Write the result of a command to its `--json` file, if there is one."""
    with output_file(file, "--json") as opened:
        if opened is not None:
            opened.write(as_json(result))


def as_json(result: Any) -> bytes:
    """The machine-readable result of a command."""
    return orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
