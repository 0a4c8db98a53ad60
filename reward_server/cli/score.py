"""`reward-server score`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reward_server.certainty.sources import create_source
from reward_server.cli.common import BAD_INPUT, JsonOption, SpecOption, the_spec, write_json
from reward_server.cli.summary import Summary
from reward_server.reward.spec import RewardSpec
from reward_server.rollout_files import BadLine, score_lines
from reward_server.scoring import Scorer

_SHOWN_BAD_LINES = 20
_STDIN = Path("-")


def score(
    file: Annotated[Path, typer.Argument(help="Rollouts as JSON lines; - reads standard input.")],
    spec: SpecOption = "shop-r1",
    out: Annotated[Path | None, typer.Option("--out", help="Write one result per good line to this file.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Score a rollout file without a server, and print the means per label type.

    Lines that cannot be scored are named on standard error and left out; the exit status is then 1.
    """
    reward_spec = the_spec(spec)
    scorer = Scorer(reward_spec, create_source("rollout" if reward_spec.needs_certainty else "none"))
    summary = Summary()
    bad: list[BadLine] = []
    bad_count = 0
    with _source(file) as source, _sink(out, file) as sink, _progress() as progress:
        task = progress.add_task("scoring", total=None if file == _STDIN else os.fstat(source.fileno()).st_size)
        for item in score_lines(source, scorer):
            progress.update(task, completed=item.end)
            if isinstance(item, BadLine):
                bad_count += 1
                if bad_count <= _SHOWN_BAD_LINES:
                    bad.append(item)
                continue
            summary.add(item.scored)
            if sink is not None:
                sink.write(item.as_json())
    _print(summary, reward_spec)
    _complain(file, bad, bad_count)
    write_json(
        json_file,
        {
            "spec": {"name": reward_spec.name, "digest": reward_spec.digest},
            **summary.as_dict(),
            "bad_lines": bad_count,
            "first_bad_lines": [{"line": item.line, "pointer": item.pointer, "reason": item.reason} for item in bad],
        },
    )
    if bad_count:
        raise typer.Exit(BAD_INPUT)


def _print(summary: Summary, spec: RewardSpec) -> None:
    console = Console()
    console.print(f"spec [bold]{spec.name}[/] {spec.digest}", soft_wrap=True)
    console.print(summary.table())


def _complain(file: Path, bad: list[BadLine], count: int) -> None:
    if not count:
        return
    console = Console(stderr=True)
    console.print(f"[red]{count:,} lines of {escape(str(file))} cannot be scored:[/]")
    for item in bad:
        console.print(
            f"  line {item.line}: {escape(item.pointer or 'the whole line')}: {escape(item.reason)}", soft_wrap=True
        )
    if count > len(bad):
        console.print(f"  and {count - len(bad):,} more")


@contextmanager
def _source(file: Path) -> Iterator[BinaryIO]:
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    with opened:
        yield opened


def _sink(out: Path | None, file: Path) -> "nullcontext[None] | BinaryIO":
    if out is None:
        return nullcontext()
    if out.exists() and file.exists() and out.samefile(file):
        raise typer.BadParameter(f"--out {out} is the file being read")
    try:
        return out.open("wb")
    except OSError as error:
        raise typer.BadParameter(f"--out {out}: {error.strerror}") from None


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
