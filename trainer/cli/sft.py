"""`shop-r1 sft`."""

import re
from typing import Annotated

import typer

from trainer.cli.training import (
    DataOption,
    DryRunOption,
    ModelOption,
    Options,
    OutOption,
    OverwriteOption,
    RecipeArgument,
    ResumeOption,
    SetOption,
    train,
)


def sft(
    recipe: RecipeArgument = "sft",
    model: ModelOption = None,
    data: DataOption = None,
    out: OutOption = None,
    changes: SetOption = None,
    master: Annotated[
        str | None, typer.Option("--master", metavar="HOST:PORT", help="The first of several nodes.")
    ] = None,
    node_rank: Annotated[
        int | None, typer.Option("--node-rank", min=0, help="Which of several nodes this is, from 0.")
    ] = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Fine-tune a model on whole sessions with OpenRLHF: the cold start.

    A short name stands for a recipe of this kind: `3b` for `sft-3b`. Everything that the run depends on is checked
    first; exit status 1 if anything is amiss, or if the run fails.
    """
    from trainer.openrlhf.run.command import Where

    if master is not None and not re.fullmatch(r"[^\s:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}", master):
        raise typer.BadParameter("write HOST:PORT, such as node-0:29500", param_hint="--master")
    shortcuts = {"model": model, "data": data, "out": out}
    options = Options(shortcuts, changes, resume, overwrite, dry_run)
    train("sft", recipe, options, Where(master=master, node_rank=node_rank))
