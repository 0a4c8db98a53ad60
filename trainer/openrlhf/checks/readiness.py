"""Every check before a run, in the order of what they cost, and what comes out of them."""

import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from reward_server import __version__
from reward_server.client import TlsFiles
from trainer.openrlhf.agent.settings import VARIABLES
from trainer.openrlhf.checks.agreement import check_flags
from trainer.openrlhf.checks.amount import Plan, check_rows
from trainer.openrlhf.checks.cautions import cautions
from trainer.openrlhf.checks.entrypoint import check_entrypoint
from trainer.openrlhf.checks.fingerprints import check_fingerprints, fingerprints
from trainer.openrlhf.checks.inputs import check_data_path, check_model, training_rows
from trainer.openrlhf.checks.lengths import check_lengths, limit_of, load_chat_tokenizer
from trainer.openrlhf.checks.machine import check_job_is_over, check_machine, problems_of_place
from trainer.openrlhf.checks.model_fit import check_context, check_ends
from trainer.openrlhf.checks.overwriting import check_apart, check_survive
from trainer.openrlhf.checks.resuming import check_certainty, check_history, check_version
from trainer.openrlhf.checks.reward_clip import check_clip
from trainer.openrlhf.checks.server import RunServer, check_run_servers
from trainer.openrlhf.problems import EnvironmentProblem, FolderError, RunProblem
from trainer.openrlhf.recipe.flags import Read, to_arguments
from trainer.openrlhf.recipe.parser import check_kept, check_names, installed_version, parse, parser_of
from trainer.openrlhf.recipe.paths import full_path, model_argument, with_full_paths
from trainer.openrlhf.recipe.recipe import Recipe
from trainer.openrlhf.run.command import Command, ServerPin, Where, arguments, make_command
from trainer.openrlhf.run.folder import Manifest, RunFolder, check_digest, check_new, check_resumable
from trainer.preflight import Access, PreflightError

Advance = Callable[[int], None]
Progress = Callable[[int], Advance]
"""Bytes to read -> what to call with the bytes read."""

_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?")
"""What a header can carry, whole."""


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
    """What OpenRLHF said of its flags, and what we have to say."""


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
        doubts += notes
    doubts += _cautions(recipe, flags)
    check_flags(recipe, flags)
    _check_words(start)
    doubts += [f"a run would stop now: {problem}" for problem in problems_of_place(recipe, start.where)]
    server = None
    if recipe.server is not None:
        try:
            server = _ask(start)
        except PreflightError as error:
            doubts.append(f"a run would stop now: {error}")
            variables = f"{VARIABLES['digest']} and {VARIABLES['action_types']} are"
            unsaid = variables if recipe.server.agent == "executor" else "digest is"
            doubts.append(f"digest not pinned: {unsaid} missing below, which the server is asked for")
        else:
            check_clip(flags, server.spec)
    checks: list[Callable[[], object]] = [partial(check_model, recipe.model)]
    checks += [partial(check_data_path, name, key) for key, name in _files(recipe, flags).items()]
    for check in checks:
        try:
            check()
        except RunProblem as error:
            doubts.append(f"a run would stop now: {error}")
    if not full_path(recipe.model).is_dir():
        doubts.append(f"not checked: whether the Hub has {recipe.model}")
    doubts.append(f"not checked: what {recipe.data} holds, what this machine or cluster has, and {recipe.out}")
    return Sketch(_command(start, server), doubts)


def check_everything(start: Start, progress: Progress) -> Ready:
    """Check all that a run depends on. Raises RunProblem or PreflightError, in one sentence."""
    recipe, folder = start.recipe, start.folder
    if installed_version() is None:
        how = "make .venv-train/.installed" if recipe.device == "cpu" else "docs/train.md says how"
        raise EnvironmentProblem(f"OpenRLHF is not installed here: {how}")
    flags, notes = read_flags(start)
    check_flags(recipe, flags)
    _check_words(start)
    check_machine(recipe, flags, start.where)
    earlier = None
    if start.resume:
        earlier = check_resumable(folder, recipe.as_dict(), recipe.trainer)
        check_version(folder, earlier, installed_version())
        check_history(start.own_folder.history)
    else:
        check_new(start.own_folder, overwrite=start.overwrite)
    if start.folder.manifest.is_file() and (job := start.folder.read().ray_job) is not None:
        check_job_is_over(job, start.where)
    check_model(recipe.model)
    files = _files(recipe, flags)
    for key, name in files.items():
        check_data_path(name, key)
    check_apart(folder, recipe.model)
    if start.overwrite:
        check_survive(start.own_folder, {"model": recipe.model, **files})
    inputs = fingerprints(recipe.model, full_path(recipe.data))
    if earlier is not None:
        check_fingerprints(folder, earlier.inputs, inputs)
    server = None
    if recipe.server is not None:
        server = _ask(start)
        if earlier is not None:
            check_digest(folder, earlier, server.facts.digest)
            server = check_certainty(folder, earlier, server)
        check_clip(flags, server.spec)
    model = model_argument(recipe.model)
    tokenizer = load_chat_tokenizer(model)
    if server is not None:
        check_context(model, flags)
        check_ends(model, tokenizer, server.spec)
    rows = {key: _count_rows(start, flags, key, name, tokenizer, server, progress) for key, name in files.items()}
    plan = check_rows(recipe, flags, rows["data"])
    command = _command(start, server)
    started = earlier.started if earlier else datetime.now(UTC).isoformat(timespec="seconds")
    manifest = _manifest(start, command, server, inputs, started)
    return Ready(command, manifest, server, plan, [*notes, *_cautions(recipe, flags)])


def read_flags(start: Start) -> tuple[Read, list[str]]:
    """What OpenRLHF makes of a recipe's flags, and what it says meanwhile. Raises FlagError."""
    recipe = start.recipe
    check_names(recipe.flags, recipe.trainer)
    given = list(chain(*arguments(recipe, start.folder, None, resume=start.resume)))
    flags = list(chain(*to_arguments(recipe.flags)))
    check_kept(parser_of(recipe.trainer), given[: len(given) - len(flags)], flags, recipe.trainer)
    parsed = parse(given, recipe.trainer)
    return Read(parsed.values), [f"OpenRLHF says: {note}" for note in parsed.notes]


def _cautions(recipe: Recipe, flags: Read) -> list[str]:
    return cautions(flags, plain=recipe.server is not None and recipe.server.agent == "plain")


def _files(recipe: Recipe, flags: Read) -> dict[str, str]:
    """The files of rows that are read, by the recipe's key."""
    evaluated = flags.text("eval.dataset", "")
    return {"data": recipe.data} | ({"openrlhf.eval.dataset": evaluated} if evaluated else {})


def _count_rows(
    start: Start, flags: Read, key: str, name: str, tokenizer: Any, server: RunServer | None, progress: Progress
) -> int:
    """How many rows a file has, all of them sound and none too long. Raises InputError."""
    trainer, path = start.recipe.trainer, full_path(name)
    is_cut = key == "data" or trainer == "grpo"
    with path.open("rb") as file:
        return check_lengths(
            training_rows(file, name, trainer, server and server.spec.action_space, key),
            tokenizer,
            limit_of(flags, trainer),
            trainer,
            name,
            most=flags.count("data.max_samples", 100_000_000) if is_cut else sys.maxsize,
            key=key,
            advance=progress(path.stat().st_size),
        )


def _check_words(start: Start) -> None:
    """Raise RunProblem for a text of the recipe that would not arrive as it is."""
    recipe, name = start.recipe, start.folder.name
    if recipe.server is not None and recipe.server.agent == "executor" and not _HEADER.fullmatch(name):
        raise FolderError(
            f"out: the run's name {name!r} goes to the server in a header, which takes printable ASCII without spaces "
            "around it: name the folder otherwise"
        )
    if start.where.ray is not None:
        check_entrypoint(recipe, arguments(recipe, start.folder, None, resume=start.resume))


def _ask(start: Start) -> RunServer:
    server = start.recipe.server
    assert server is not None
    key = start.where.api_key
    if key is not None and server.agent == "plain":
        raise PreflightError(
            "server.agent: OpenRLHF's own call can carry a key only in its URL, which it prints into its log: use the "
            "executor, or a server without keys"
        )
    tls = TlsFiles(**server.tls.model_dump()) if server.tls is not None else TlsFiles()
    return check_run_servers(server.urls, server.spec, server.certainty, Access(key, tls))


def _command(start: Start, server: RunServer | None) -> Command:
    pin = server and ServerPin(
        server.facts.url,
        server.facts.digest,
        tuple(server.spec.action_space),
        server.certainty_model,
        server.facts.certainty_source,
    )
    return make_command(start.recipe, start.folder, pin, start.where, resume=start.resume)


def _manifest(
    start: Start, command: Command, server: RunServer | None, inputs: dict[str, str], started: str
) -> Manifest:
    facts = None
    if server is not None:
        facts = {**server.facts._asdict(), "certainty_model": server.certainty_model}
    return Manifest(
        recipe_name=start.recipe_name,
        recipe=with_full_paths(start.recipe.as_dict()),
        argv=command.argv,
        environment=command.shown_environment(),
        server=facts,
        digest=server and server.facts.digest,
        versions={"shop_r1": __version__, "openrlhf": installed_version(), "python": platform.python_version()},
        started=started,
        inputs=inputs,
        ray_job=command.ray_job,
    )
