"""`reward-server score`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from reward_server.certainty.sources import create_source
from reward_server.cli.summary import Summary
from reward_server.reward.spec import RewardSpec
from reward_server.rollout_files import BadLine, ScoredLine, score_lines
from reward_server.scoring import ConfigurationError, Scorer
from reward_server.terminal import (
    BAD_INPUT,
    STDIN,
    JsonOption,
    SpecOption,
    as_json,
    byte_progress,
    input_file,
    keep_the_input,
    output_file,
    printable,
    size_of,
    the_spec,
)

_SHOWN_BAD_LINES = 20
_LINES_PER_UPDATE = 256


def score(
    file: Annotated[Path, typer.Argument(help="Rollouts as JSON lines; - reads standard input.")],
    spec: SpecOption = "shop-r1",
    out: Annotated[Path | None, typer.Option("--out", help="Write one result per good line to this file.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Score a rollout file without a server, and print the means per label type.

    Lines that cannot be scored are named on standard error and left out; the exit status is then 1.
    """
    scorer = _scorer(the_spec(spec))
    summary = Summary()
    bad: list[BadLine] = []
    bad_count = 0
    with input_file(file) as source:
        keep_the_input(source, {"--out": out, "--json": json_file})
        with (
            output_file(out, "--out") as results,
            output_file(json_file, "--json") as figures,
            byte_progress("scoring") as progress,
        ):
            task = progress.add_task("", total=size_of(source))
            for item in _readable(score_lines(source, scorer), file):
                if item.line % _LINES_PER_UPDATE == 0:
                    progress.update(task, completed=item.end)
                if isinstance(item, BadLine):
                    bad_count += 1
                    if bad_count <= _SHOWN_BAD_LINES:
                        bad.append(item)
                    continue
                summary.add(item.scored)
                if results is not None:
                    results.write(item.as_json())
            if figures is not None:
                figures.write(as_json(_figures(summary, scorer.spec, bad, bad_count)))
    _print(summary, scorer.spec)
    _complain("standard input" if file == STDIN else str(file), bad, bad_count)
    if bad_count:
        raise typer.Exit(BAD_INPUT)


def _figures(summary: Summary, spec: RewardSpec, bad: list[BadLine], bad_count: int) -> dict[str, Any]:
    return {
        "spec": {"name": spec.name, "digest": spec.digest},
        **summary.as_dict(),
        "bad_lines": bad_count,
        "first_bad_lines": [{"line": item.line, "pointer": item.pointer, "reason": item.reason} for item in bad],
    }


def _scorer(spec: RewardSpec) -> Scorer:
    try:
        return Scorer(spec, create_source("rollout" if spec.needs_certainty else "none"))
    except ConfigurationError as error:
        raise typer.BadParameter(str(error), param_hint="--spec") from None


def _print(summary: Summary, spec: RewardSpec) -> None:
    console = Console()
    console.print(f"spec [bold]{printable(spec.name)}[/] {spec.digest}", soft_wrap=True, highlight=False)
    console.print(summary.table())


def _complain(file: str, bad: list[BadLine], count: int) -> None:
    if not count:
        return
    console = Console(stderr=True)
    lines = "1 line" if count == 1 else f"{count:,} lines"
    console.print(f"[red]{lines} of {printable(file)} cannot be scored:[/]", soft_wrap=True)
    for item in bad:
        place = printable(item.pointer) or "the whole line"
        console.print(f"  line {item.line}: {place}: {printable(item.reason)}", soft_wrap=True)
    if count > len(bad):
        console.print(f"  and {count - len(bad):,} more")


def _readable(items: Iterator[ScoredLine | BadLine], file: Path) -> Iterator[ScoredLine | BadLine]:
    """The items; a file that fails in mid-read is told from an output that does."""
    try:
        yield from items
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
