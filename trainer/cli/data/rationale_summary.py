"""What `shop-r1 data rationales` shows: the bar while it runs, the tables and the machine-readable result after it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from reward_server.terminal import printable
from trainer.rationales.cost import Prices, Tokens
from trainer.rationales.estimate import Estimate
from trainer.rationales.tally import Tally

_UNKNOWN = "unknown"


@contextmanager
def asking_progress(tally: Tally, steps: int, prices: Prices | None) -> Iterator[Callable[[], None]]:
    """A progress bar over the steps to be filled, on standard error; silent where that is no terminal.

    What it yields is to be called when the tally has changed.
    """
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[spent]}"))
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=steps, spent="")
        yield lambda: progress.update(task, completed=tally.done, spent=_spent(tally.tokens, prices))


def _spent(tokens: Tokens, prices: Prices | None) -> str:
    cost = _dollars(prices.cost(tokens)) if prices else f"cost {_UNKNOWN}"
    return f"{tokens.prompt + tokens.completion:,} tokens, {cost}"


def estimate_figures(result: Estimate, max_tokens: int, prices: Prices | None, counted: str) -> dict[str, Any]:
    """An estimate for `--json`; `counted` says how tokens are."""
    completion = result.requests * max_tokens
    return {
        "sessions": result.sessions,
        "kept": result.kept,
        "reused": result.reused,
        "requests": result.requests,
        "pages_cut": result.pages_cut,
        "tokens_counted": counted,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens_at_most": completion,
        "cost_usd": prices.cost(Tokens(result.prompt_tokens, completion)) if prices else None,
    }


def estimate_table(figures: dict[str, Any]) -> Table:
    """The same for the terminal."""
    return _table(
        "If every first answer can be used",
        ("sessions", f"{figures['sessions']:,}"),
        ("steps with a rationale, kept", f"{figures['kept']:,}"),
        ("steps reused from the journal", f"{figures['reused']:,}"),
        ("requests", f"{figures['requests']:,}"),
        ("pages cut", f"{figures['pages_cut']:,}"),
        ("tokens in", f"{figures['prompt_tokens']:,}"),
        ("  counted", printable(figures["tokens_counted"])),
        ("tokens out, at most", f"{figures['completion_tokens_at_most']:,}"),
        ("cost, with answers at full length", _cost(figures["cost_usd"])),
    )


def run_figures(tally: Tally, in_all: Tokens, prices: Prices | None, stopped: str | None) -> dict[str, Any]:
    """A run for `--json`; `in_all` are the tokens of every answer in the journal, those of earlier runs too."""
    return {
        "sessions": tally.sessions,
        "kept": tally.kept,
        "reused": tally.reused,
        "filled": tally.filled,
        "failed": {failure.value: count for failure, count in sorted(tally.failed.items())},
        "answers": tally.answers,
        "answers_without_usage": tally.unreported,
        "pages_cut": tally.pages_cut,
        "prompt_tokens": tally.tokens.prompt,
        "completion_tokens": tally.tokens.completion,
        "cost_usd": prices.cost(tally.tokens) if prices else None,
        "cost_usd_with_earlier_runs": prices.cost(in_all) if prices else None,
        "stopped": stopped,
    }


def run_table(figures: dict[str, Any]) -> Table:
    """The same for the terminal."""
    failed = sum(figures["failed"].values())
    at_least = "at least " if figures["answers_without_usage"] else ""
    rows = [
        ("sessions filled", f"{figures['sessions']:,}"),
        ("steps with a rationale, kept", f"{figures['kept']:,}"),
        ("steps reused from the journal", f"{figures['reused']:,}"),
        ("steps asked", f"{figures['filled'] + failed:,}"),
        ("  filled", f"{figures['filled']:,}"),
        ("  failed", f"{failed:,}"),
        ("answers", f"{figures['answers']:,}"),
        ("pages cut", f"{figures['pages_cut']:,}"),
        ("tokens in", f"{at_least}{figures['prompt_tokens']:,}"),
        ("tokens out", f"{at_least}{figures['completion_tokens']:,}"),
        ("cost", _cost(figures["cost_usd"], at_least)),
    ]
    if figures["cost_usd"] != figures["cost_usd_with_earlier_runs"]:
        rows.append(("cost with earlier runs", _cost(figures["cost_usd_with_earlier_runs"], at_least)))
    return _table("Rationales", *rows)


def complain(tally: Tally, stopped: str | None) -> None:
    """Name the first steps that failed on standard error, count them by failure, and say what ended the run."""
    console = Console(stderr=True)
    for failed in tally.first_failures:
        said = f": {printable(failed.said)}" if failed.said else ""
        place = f"session {printable(failed.session)}, step {failed.step}"
        console.print(f"  {place}: {failed.failure.value}{said}", soft_wrap=True, highlight=False)
    if (more := tally.failed.total() - len(tally.first_failures)) > 0:
        console.print(f"  and {more:,} more")
    if tally.failed:
        counted = ", ".join(f"{failure.value} {count:,}" for failure, count in tally.failed.most_common())
        console.print(f"[red]without a rationale:[/] {counted}", soft_wrap=True, highlight=False)
    if stopped is not None:
        say_stopped(stopped)
        console.print("nothing was written; the same command goes on from here", soft_wrap=True)
    elif tally.failed:
        console.print("the same command asks for these again", soft_wrap=True)


def say_stopped(reason: str) -> None:
    """Say on standard error why a run does not come to its end."""
    Console(stderr=True).print(f"[red]stopped:[/] {printable(reason)}", soft_wrap=True, highlight=False)


def _table(title: str, *rows: tuple[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _cost(cost: float | None, at_least: str = "") -> str:
    return f"{_UNKNOWN} (no prices given)" if cost is None else f"{at_least}{_dollars(cost)}"


def _dollars(cost: float) -> str:
    return f"${cost:,.4f}"
