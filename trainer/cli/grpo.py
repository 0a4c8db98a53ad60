"""`shop-r1 grpo`."""

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


def grpo(
    recipe: RecipeArgument = "grpo",
    model: ModelOption = None,
    data: DataOption = None,
    out: OutOption = None,
    server: Annotated[
        list[str] | None, typer.Option("--server", help="The reward server's address; once for each of several.")
    ] = None,
    spec: Annotated[str | None, typer.Option("--spec", help="Which of its reward specs scores.")] = None,
    changes: SetOption = None,
    ray: Annotated[
        str | None, typer.Option("--ray", metavar="URL", help="Submit to this Ray cluster: http://HOST:8265.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option("--api-key", help="The reward server's API key.", envvar="SHOP_R1_API_KEY")
    ] = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Train a model with OpenRLHF's GRPO, every rollout scored by the reward server.

    A short name stands for a recipe of this kind: `3b` for `grpo-3b`. Everything that the run depends on is checked
    first, the server and its spec's digest among it; exit status 1 if anything is amiss, or if the run fails.
    """
    from trainer.openrlhf.run.command import Where

    address = server[0] if server and len(server) == 1 else server or None
    shortcuts = {"model": model, "data": data, "out": out, "server.url": address, "server.spec": spec}
    options = Options(shortcuts, changes, resume, overwrite, dry_run)
    train("grpo", recipe, options, Where(ray=ray, api_key=api_key or None))
