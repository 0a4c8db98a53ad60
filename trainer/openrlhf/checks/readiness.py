"""Every check before a run, in the order of what they cost, and what comes out of them."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from reward_server import __version__
from trainer.openrlhf.checks.agreement import Plan, check_clip, check_flags, check_rows
from trainer.openrlhf.checks.inputs import check_data_path, check_model, training_rows
from trainer.openrlhf.checks.lengths import check_lengths, limit_of, load_chat_tokenizer
from trainer.openrlhf.checks.machine import check_machine
from trainer.openrlhf.problems import EnvironmentProblem, RunProblem
from trainer.openrlhf.recipe.command import (
    Command,
    ServerPin,
    Where,
    arguments,
    full_path,
    make_command,
    model_argument,
)
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.parser import check_names, installed_version, parse
from trainer.openrlhf.recipe.recipe import Recipe
from trainer.openrlhf.run.folder import Manifest, RunFolder, check_digest, check_new, check_resumable
from trainer.preflight import PreflightError, RunServer, check_run_server

Advance = Callable[[int], None]
Progress = Callable[[int], Advance]
"""Bytes to read -> what to call with the bytes read."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a recipe is to be started."""

    recipe_name: str
    recipe: Recipe
    where: Where
    resume: bool = False
    overwrite: bool = False

    @property
    def folder(self) -> RunFolder:
        """The run's."""
        return RunFolder(full_path(self.recipe.out))

    @property
    def own_folder(self) -> RunFolder:
        """Where this node keeps its log: the run's folder on the first node, one beside it on each of the others."""
        rank, path = self.where.node_rank, self.folder.path
        return RunFolder(path.with_name(f"{path.name}.node-{rank}")) if rank else self.folder


class Ready(NamedTuple):
    """A run that may start."""

    command: Command
    manifest: Manifest
    server: RunServer | None
    plan: Plan
    notes: list[str]
    """What OpenRLHF said of its flags."""


class Sketch(NamedTuple):
    """A command without a run."""

    command: Command
    doubts: list[str]
    """What was not checked, and what a run would stop at now."""


def sketch(start: Start) -> Sketch:
    """The command, as far as it can be told now. Raises RunProblem for a recipe that can never run."""
    recipe = start.recipe
    doubts: list[str] = []
    if installed_version() is None:
        flags = Read(recipe.flags)
        doubts.append("not checked: OpenRLHF is not installed, so nobody knows whether it takes these flags")
    else:
        flags, notes = read_flags(start)
        doubts += [f"OpenRLHF says: {note}" for note in notes]
    check_flags(recipe, flags)
    server = None
    if recipe.server is not None:
        try:
            server = _ask(start)
        except PreflightError as error:
            doubts.append(f"a run would stop now: {error}")
        else:
            check_clip(flags, server.spec)
    for check in (lambda: check_model(recipe.model), lambda: check_data_path(recipe.data)):
        try:
            check()
        except RunProblem as error:
            doubts.append(f"a run would stop now: {error}")
    doubts.append(f"not checked: what {recipe.data} holds, this machine, and {recipe.out}")
    return Sketch(_command(start, server), doubts)


def check_everything(start: Start, progress: Progress) -> Ready:
    """Check all that a run depends on. Raises RunProblem or PreflightError, in one sentence."""
    recipe, folder = start.recipe, start.folder
    if installed_version() is None:
        raise EnvironmentProblem("OpenRLHF is not installed: pip install 'shop-r1[trainer]' (docs/train.md)")
    flags, notes = read_flags(start)
    check_flags(recipe, flags)
    check_machine(recipe, flags, start.where)
    earlier = None
    if start.resume:
        earlier = check_resumable(folder, recipe.as_dict(), recipe.trainer)
    else:
        check_new(start.own_folder, overwrite=start.overwrite)
    check_model(recipe.model)
    data = check_data_path(recipe.data)
    server = None
    if recipe.server is not None:
        server = _ask(start)
        if earlier is not None:
            check_digest(folder, earlier, server.facts.digest)
        check_clip(flags, server.spec)
    tokenizer = load_chat_tokenizer(model_argument(recipe.model))
    with data.open("rb") as file:
        rows = check_lengths(
            training_rows(file, recipe.data, recipe.trainer, server and server.spec.action_space),
            tokenizer,
            limit_of(flags, recipe.trainer),
            recipe.trainer,
            recipe.data,
            most=flags.count("data.max_samples", 100_000_000),
            advance=progress(data.stat().st_size),
        )
    plan = check_rows(recipe, flags, rows)
    command = _command(start, server)
    started = earlier.started if earlier else datetime.now(UTC).isoformat(timespec="seconds")
    return Ready(command, _manifest(start, command, server, started), server, plan, notes)


def read_flags(start: Start) -> tuple[Read, list[str]]:
    """What OpenRLHF makes of a recipe's flags, and what it says meanwhile. Raises FlagError."""
    recipe = start.recipe
    check_names(recipe.flags, recipe.trainer)
    given = arguments(recipe, start.folder, None, resume=start.resume)
    parsed = parse([argument for flag in given for argument in flag], recipe.trainer)
    return Read(parsed.values), parsed.notes


def _ask(start: Start) -> RunServer:
    server = start.recipe.server
    assert server is not None
    key = start.where.api_key
    if key is not None and server.agent == "plain":
        raise PreflightError(
            "server.agent: OpenRLHF's own call can carry a key only in its URL, which it prints into its log: use the "
            "executor, or a server without keys"
        )
    return check_run_server(server.url, server.spec, server.certainty, api_key=key)


def _command(start: Start, server: RunServer | None) -> Command:
    pin = server and ServerPin(server.facts.url, server.facts.digest, tuple(server.spec.action_space))
    return make_command(start.recipe, start.folder, pin, start.where, resume=start.resume)


def _manifest(start: Start, command: Command, server: RunServer | None, started: str) -> Manifest:
    facts = None
    if server is not None:
        facts = {**server.facts._asdict(), "certainty_model": server.certainty_model}
    return Manifest(
        recipe_name=start.recipe_name,
        recipe=start.recipe.as_dict(),
        argv=command.argv,
        environment=command.shown_environment(),
        server=facts,
        digest=server and server.facts.digest,
        versions={"shop_r1": __version__, "openrlhf": installed_version(), "python": platform.python_version()},
        started=started,
    )
