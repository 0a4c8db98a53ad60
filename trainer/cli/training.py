"""What `shop-r1 sft` and `shop-r1 grpo` share: their options, the checks before a run, and its start."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from reward_server.terminal import BAD_INPUT, byte_progress, printable

if TYPE_CHECKING:
    from trainer.openrlhf.checks.readiness import Ready, Start
    from trainer.openrlhf.recipe.flags import Kind
    from trainer.openrlhf.run.command import Where

RecipeArgument = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe (`shop-r1 recipes`) or a YAML file.")
]
ModelOption = Annotated[str | None, typer.Option("--model", help="The model to start from: a folder or a Hub id.")]
DataOption = Annotated[str | None, typer.Option("--data", help="The training data.")]
OutOption = Annotated[str | None, typer.Option("--out", help="The run's folder. Default: runs/RECIPE.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change any key of the recipe, such as openrlhf.train.seed=7; repeatable."
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Start anew in the folder of an earlier run.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the exact command, and run nothing.")]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says besides the recipe's name."""

    shortcuts: Mapping[str, str | list[str] | None]
    """Recipe keys that have an option of their own."""
    changes: list[str] | None
    resume: bool
    overwrite: bool
    dry_run: bool


def train(kind: "Kind", recipe_name: str, options: Options, where: "Where") -> None:
    """Check all that the recipe depends on, then run it; or print its command."""
    from trainer.openrlhf.checks.readiness import check_everything, sketch
    from trainer.openrlhf.problems import RunProblem
    from trainer.openrlhf.run.launch import Course, launch
    from trainer.openrlhf.run.lock import locked
    from trainer.preflight import PreflightError

    if options.resume and options.overwrite:
        raise typer.BadParameter("either go on with a run or start it anew", param_hint="--resume")
    try:
        start = _start(kind, recipe_name, options, where)
        if options.dry_run:
            drawn = sketch(start)
            for doubt in drawn.doubts:
                typer.echo(doubt, err=True)
            typer.echo(drawn.command.shell())
            return
        with locked(start.own_folder.path) as lock:
            with _checking() as progress:
                ready = check_everything(start, progress)
            if options.overwrite:
                start.own_folder.clear()
            start.own_folder.write(ready.manifest)
            _announce(start, ready)
            course = Course(
                kind,
                ready.plan.steps,
                ready.plan.micro_batches,
                options.resume,
                start.recipe.stall_minutes,
                leads=not where.node_rank,
            )
            status = launch(ready.command, start.own_folder, lock, course)
    except (RunProblem, PreflightError) as error:
        Console(stderr=True).print(f"[red]not started:[/] {printable(str(error))}", soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    if status:
        raise typer.Exit(BAD_INPUT)


def _start(kind: "Kind", recipe_name: str, options: Options, where: "Where") -> "Start":
    from trainer.openrlhf.checks.readiness import Start
    from trainer.openrlhf.problems import RecipeError
    from trainer.openrlhf.recipe.recipe import find_recipe, read_recipe

    try:
        found = find_recipe(recipe_name, kind)
    except LookupError as error:
        raise typer.BadParameter(printable(str(error.args[0])), param_hint="RECIPE") from None
    recipe = read_recipe(found, _changes(options))
    if recipe.trainer != kind:
        raise RecipeError(f"recipe {found} has trainer: {recipe.trainer}; run it with `shop-r1 {recipe.trainer}`")
    return Start(found, recipe, where, options.resume, options.overwrite)


def _changes(options: Options) -> Iterable[tuple[str, Any]]:
    from trainer.openrlhf.recipe.recipe import parse_value

    for key, text in options.shortcuts.items():
        if text is not None:
            yield key, text
    for change in options.changes or []:
        key, equals, text = change.partition("=")
        if not equals or not all(key.split(".")) or key == "extends":
            raise typer.BadParameter(f"{change!r} is not KEY=VALUE, such as openrlhf.train.seed=7", param_hint="--set")
        try:
            yield key, parse_value(text)
        except ValueError as error:
            raise typer.BadParameter(printable(f"{key}: {error}"), param_hint="--set") from None


@contextmanager
def _checking() -> Iterator[Any]:
    with byte_progress("checking the data") as bar:

        def begin(size: int) -> Any:
            task = bar.add_task("", total=size)
            return lambda end: bar.update(task, completed=end)

        yield begin


def _announce(start: "Start", ready: "Ready") -> None:
    console = Console(stderr=True)
    for note in ready.notes:
        console.print(printable(note), soft_wrap=True)
    facts = {
        "recipe": start.recipe_name,
        "model": start.recipe.model,
        "data": f"{start.recipe.data}, {ready.plan.rows:,} rows: {ready.plan.steps:,} steps of {ready.plan.per_step}",
        "run": str(start.folder.path),
    }
    if ready.server is not None:
        server = ready.server.facts
        urls = start.recipe.server.urls if start.recipe.server is not None else []
        facts |= {"server": f"{', '.join(urls)}, {server.spec}", "digest": server.digest}
    for name, value in facts.items():
        console.print(f"{name:>8}  [bold]{printable(value)}[/]", soft_wrap=True)
