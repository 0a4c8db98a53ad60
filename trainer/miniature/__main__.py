"""`python -m trainer.miniature`: the whole road on two CPU cores, and the study of rewards and advantages."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trainer.miniature.commands import CommandFailed, Commands
from trainer.miniature.deciding_terms import deciding_terms
from trainer.miniature.road import Road, anew, evaluate, make_data, make_sft_model, train
from trainer.miniature.study import study
from trainer.miniature.verdict import Claim, verdict

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_show_locals=False)

OutArgument = Annotated[Path, typer.Argument(help="The folder for everything that comes of it.", show_default=False)]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Start anew where an earlier one has been.")]
_SERVER = {"REWARD_SPEC": "shop-r1", "REWARD_CERTAINTY": "rollout"}


@app.command("road", epilog="Example: `python -m trainer.miniature road out/road`")
def the_road(out: OutArgument, overwrite: OverwriteOption = False) -> None:
    """Simulated shoppers, a tiny base model, SFT, GRPO through the reward server, evaluation, report.

    SFT and GRPO are those of the installed OpenRLHF, with Ray, DeepSpeed and vLLM. Exit status 1 where a command fails,
    or where the figures do not show what they should.
    """
    console, road = Console(), Road(out, overwrite=overwrite)
    _make(out, overwrite)
    commands, began = Commands(console), time.monotonic()
    with _failing(console):
        make_data(road, commands)
        make_sft_model(road, commands)
        with commands.server(free_port(), out / "server.log", _SERVER) as url:
            train(road, commands, url, road.grpo_run, *anew(road))
        evaluate(road, commands)
        claims = verdict(road.accuracy, road.reward)
    console.print(_times(commands, time.monotonic() - began), _claims(claims))
    console.print(f"report: {escape(str(road.report))}", soft_wrap=True)
    if not all(claim.holds for claim in claims):
        raise typer.Exit(1)


@app.command("study", epilog="Example: `python -m trainer.miniature study out/road`")
def the_study(
    out: Annotated[Path, typer.Argument(help="The folder that `road` has filled: its SFT model and its data.")],
    overwrite: OverwriteOption = False,
) -> None:
    """Train a model for each of three rewards, with the group's std divided out and without, from the road's SFT model.

    An interrupted study goes on: what it has trained from this model is kept, without --overwrite.

    Puts all their curves into `study.png` and `study.html`, and what each comes to into `study-SPEC.json`.
    """
    console, road = Console(), Road(out, overwrite=overwrite)
    if not road.sft_model.is_dir():
        raise typer.BadParameter(f"{out} has no SFT model: run `python -m trainer.miniature road {out}` first")
    commands, began = Commands(console), time.monotonic()
    with _failing(console), commands.server(free_port(), out / "server.log", _SERVER) as url:
        runs = study(road, commands, url)
    console.print(_times(commands, time.monotonic() - began), _deciding(runs))
    console.print(f"curves: {escape(str(road.out / 'study.png'))}", soft_wrap=True)


def _make(folder: Path, overwrite: bool) -> None:
    """Make the folder; raises typer.BadParameter where something is in it that may not be written over."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_filled = any(folder.iterdir())
    except OSError as error:
        raise typer.BadParameter(f"{folder}: {error.strerror}") from None
    if is_filled and not overwrite:
        raise typer.BadParameter(f"{folder} is not empty: name another folder, or start anew with --overwrite")


@contextmanager
def _failing(console: Console) -> Iterator[None]:
    try:
        yield
    except CommandFailed as error:
        console.print(f"[red]stopped:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None


def _times(commands: Commands, seconds: float) -> Table:
    table = Table(title="What it took", title_justify="left")
    table.add_column("command")
    table.add_column("minutes", justify="right")
    table.add_column("peak GiB", justify="right")
    for took in commands.done:
        table.add_row(took.stage, f"{took.seconds / 60:.1f}", f"{took.peak_bytes / 2**30:.1f}")
    peak = max(took.peak_bytes for took in commands.done)
    table.add_row("[bold]all", f"[bold]{seconds / 60:.1f}", f"[bold]{peak / 2**30:.1f}")
    return table


def _deciding(runs: list[Path]) -> Table:
    shares = {run.name: deciding_terms(run / "rollouts") for run in runs}
    table = Table(title="Groups by the weightiest term that tells their rollouts apart, in %", title_justify="left")
    table.add_column("run", overflow="fold")
    for term in next(iter(shares.values())):
        table.add_column(term, justify="right")
    for name, share in shares.items():
        table.add_row(name, *(f"{100 * value:.0f}" for value in share.values()))
    return table


def _claims(claims: list[Claim]) -> Table:
    table = Table(title="What it shows, with 95 % intervals", title_justify="left")
    for column in ("claim", "found", ""):
        table.add_column(column)
    for claim in claims:
        table.add_row(claim.name, claim.found, "[green]yes" if claim.holds else "[red]no")
    return table


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    app()
