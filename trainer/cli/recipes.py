"""`shop-r1 recipes`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reward_server.terminal import BAD_INPUT, JsonOption, printable, visible, write_json


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]", help="Show this one, with all it extends; `3b` means `grpo-3b`.", show_default=False
        ),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """List the recipes for `shop-r1 sft` and `shop-r1 grpo`, or show one."""
    from trainer.openrlhf.problems import RecipeError
    from trainer.openrlhf.recipe.recipe import find_recipe, read_recipe, recipe_names
    from trainer.openrlhf.recipe.yaml_text import dump_yaml

    if name is None:
        table = Table()
        for heading in ("recipe", "run with", "what it is"):
            table.add_column(heading, overflow="fold")
        read = {shipped: read_recipe(shipped) for shipped in recipe_names()}
        for shipped, recipe in read.items():
            table.add_row(shipped, f"shop-r1 {recipe.trainer}", recipe.description)
        Console().print(table)
        write_json(json_file, {shipped: recipe.as_dict() for shipped, recipe in read.items()})
        return
    try:
        found = read_recipe(find_recipe(name, "grpo")).as_dict()
    except LookupError as error:
        raise typer.BadParameter(printable(str(error.args[0])), param_hint="RECIPE") from None
    except RecipeError as error:
        typer.echo(visible(str(error)), err=True)
        raise typer.Exit(BAD_INPUT) from None
    typer.echo(dump_yaml(found), nl=False)
    write_json(json_file, found)
