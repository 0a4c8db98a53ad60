"""Whether a Ray cluster is given the very arguments that a recipe makes."""

from collections.abc import Iterable

from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import SET_BY_RECIPE
from trainer.openrlhf.recipe.recipe import Recipe

_NOT_PLAIN = frozenset("&$`;|<>()[]{}*?#~!'\"\\\r\n")
"""Ray joins arguments as Windows would and has sh run them (job/cli.py:313, job_supervisor.py:182)."""


def check_entrypoint(recipe: Recipe, flags: Iterable[list[str]]) -> None:
    """Raise FlagError for the first argument that would be cut or expanded on its way through `ray job submit`.

    `flags` are the arguments, one list a flag.
    """
    if recipe.server is not None and recipe.server.agent == "plain":
        raise FlagError(
            "server.agent: OpenRLHF's own call has a & in its URL, where the shell that --ray goes through would cut "
            "the command: use the executor"
        )
    for flag in flags:
        for argument in flag:
            if found := sorted(_NOT_PLAIN & set(argument)):
                name = flag[0].removeprefix("--").partition("=")[0]
                key = SET_BY_RECIPE[recipe.trainer].get(name, f"openrlhf.{name}")
                raise FlagError(
                    f"{key}: {argument!r} has {' '.join(map(repr, found))} in it, which the shell that --ray goes "
                    "through takes for its own"
                )
