"""`python -m trainer.tiny_model`: train a tiny model from nothing, in minutes on one CPU core."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from reward_server.terminal import JsonOption, printable, write_json
from trainer.tiny_model.recipe import Recipe

if TYPE_CHECKING:
    from trainer.tiny_model.make import Report
    from trainer.tiny_model.measure import Figures

app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_show_locals=False)
_USUAL = Recipe()


@app.command(epilog="Example: `python -m trainer.tiny_model out/tiny --answer-steps 1800 --seed 0`")
def main(
    out: Annotated[Path, typer.Argument(help="The folder to write the model to.", show_default=False)],
    seed: Annotated[int, typer.Option(help="For the first weights and the order of examples.")] = _USUAL.seed,
    shop: Annotated[int, typer.Option(help="The seed of the storefront to learn from.")] = _USUAL.shop,
    sessions: Annotated[int, typer.Option(min=1, help="How many of its sessions.")] = _USUAL.sessions,
    drill_steps: Annotated[int, typer.Option(min=0, help="Steps of copy drill.")] = _USUAL.drill_steps,
    base_steps: Annotated[int, typer.Option(min=0, help="Steps of prompts and drill.")] = _USUAL.base_steps,
    answer_steps: Annotated[int, typer.Option(min=0, help="Steps of answers; 0: a base.")] = _USUAL.answer_steps,
    rows: Annotated[int, typer.Option(min=1, help="Examples in a step.")] = _USUAL.rows,
    learning_rate: Annotated[float, typer.Option(min=0, help="The highest.")] = _USUAL.learning_rate,
    vocabulary: Annotated[int, typer.Option(help="Most tokens of the tokenizer.")] = _USUAL.vocabulary,
    width: Annotated[int, typer.Option(help="How many numbers hold a token.")] = _USUAL.width,
    layers: Annotated[int, typer.Option(help="Layers.")] = _USUAL.layers,
    heads: Annotated[int, typer.Option(help="Attention heads; vLLM wants 32 numbers each.")] = _USUAL.heads,
    feed_forward: Annotated[int, typer.Option(help="Width of the feed-forward layers.")] = _USUAL.feed_forward,
    held_out_shop: Annotated[int, typer.Option(help="The seed of the one to be measured on.")] = _USUAL.held_out_shop,
    measured_steps: Annotated[int, typer.Option(min=1, help="How many of its steps.")] = _USUAL.measured_steps,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write to a folder that is not empty.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Train a tiny Qwen2-style shopper from nothing, and write it with its tokenizer and its card.

    First a base that reads pages and copies names, then the answers of the storefront's shoppers. Steps are counted,
    not minutes: the same options give the same model again on the same kind of machine.
    """
    import torch
    from transformers.utils import logging

    from trainer.tiny_model.folder import FolderError, refuse_filled, written_whole
    from trainer.tiny_model.make import make

    recipe = Recipe(
        seed,
        shop,
        sessions,
        drill_steps,
        base_steps,
        answer_steps,
        rows,
        learning_rate,
        vocabulary,
        width,
        layers,
        heads,
        feed_forward,
        held_out_shop,
        measured_steps,
    )
    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    try:
        if not overwrite:
            refuse_filled(out)
        with written_whole(out) as folder:
            figures = make(recipe, folder, _stage)
    except FolderError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="OUT") from None
    except ValueError as error:
        raise typer.BadParameter(printable(str(error))) from None
    Console().print(_table(figures, str(out)))
    write_json(json_file, figures.as_dict())


@contextmanager
def _stage(doing: str, steps: int) -> Iterator["Report"]:
    """A progress bar on standard error, with the running mean of what is reported."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    mean: float | None = None
    with Progress(*columns, TextColumn("{task.fields[loss]}"), console=console) as progress:
        task = progress.add_task(doing, total=steps, loss="")

        def report(loss: float | None) -> None:
            nonlocal mean
            if loss is not None:
                mean = loss if mean is None else 0.95 * mean + 0.05 * loss
            progress.update(task, advance=1, loss="" if mean is None else f"loss {mean:.3f}")

        yield report


def _table(figures: "Figures", out: str) -> Table:
    table = Table(title=f"{printable(out)}, on {figures.steps:,} held-out steps", title_justify="left")
    table.add_column()
    table.add_column("this model", justify="right")
    table.add_column("best possible", justify="right")
    for name, share, best in zip(figures.accuracy._fields, figures.accuracy, figures.best, strict=True):
        table.add_row(name, f"{share:.1%}", f"{best:.1%}")
    for name, value in figures.certainty._asdict().items():
        table.add_row(f"certainty of {name.replace('_', ' ')}", f"{value:.2f}", f"{figures.largest_certainty:.2f}")
    return table


if __name__ == "__main__":
    app()
