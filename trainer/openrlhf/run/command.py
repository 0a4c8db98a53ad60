"""A recipe as the exact command that runs it."""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from shlex import quote
from urllib.parse import urlencode

from trainer.openrlhf.agent.settings import VARIABLES
from trainer.openrlhf.recipe.flags import to_arguments
from trainer.openrlhf.recipe.parser import MODULES
from trainer.openrlhf.recipe.paths import full_path, model_argument, with_full_paths
from trainer.openrlhf.recipe.recipe import Recipe, ServerPart
from trainer.openrlhf.run.folder import RayJob, RunFolder

AGENT = Path(__file__).parents[1] / "agent" / "executor.py"
"""Our agent executor, which OpenRLHF loads by its path."""

API_KEY = VARIABLES["api_key"]
"""The environment variable of the server's key. It is passed on and never shown."""

_UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
"""What is printed is read as it is printed."""

_LONGEST_JOB_NAME = 64


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and what to add to its environment."""

    parts: list[list[str]]
    """The program with its arguments, in the lines in which they are shown."""
    environment: dict[str, str] = field(repr=False)
    ray_job: RayJob | None = None
    """What it submits; None where it runs here."""
    stop: list[str] = field(default_factory=list)
    """What ends that job, which goes on when this command does not; empty where it runs here."""

    @property
    def argv(self) -> list[str]:
        """The program with its arguments."""
        return [argument for part in self.parts for argument in part]

    def shown_environment(self) -> dict[str, str]:
        """The environment without the key."""
        return {name: value for name, value in self.environment.items() if name != API_KEY}

    def shell(self) -> str:
        """The command for a shell: the environment, then the program, then a flag a line."""
        key = [f"{API_KEY}=…"] if API_KEY in self.environment else []
        environment = [f"{name}={quote(value)}" for name, value in self.shown_environment().items()]
        lines = [" ".join(map(quote, part)) for part in self.parts]
        return " \\\n  ".join([*environment, *key, *lines])


@dataclass(frozen=True, slots=True)
class ServerPin:
    """What of the server a run holds on to."""

    url: str
    digest: str
    action_types: tuple[str, ...]
    certainty_model: str | None = None
    """Whose certainty the server measures, where it does and has said so."""
    certainty_source: str | None = None
    """By which it measures."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a run is started."""

    ray: str | None = None
    """The address of a Ray cluster's dashboard, to submit to; None starts it here."""
    master: str | None = None
    """`host:port` of an SFT run's first node, where it has several."""
    node_rank: int | None = None
    api_key: str | None = field(default=None, repr=False)


HERE = Where()


def arguments(recipe: Recipe, folder: RunFolder, pin: ServerPin | None, *, resume: bool = False) -> list[list[str]]:
    """OpenRLHF's own arguments, one list a flag: those that follow from the recipe, then those it states.

    Without a `pin`, the digest of the server's spec is left open.
    """
    data = str(full_path(recipe.data))
    if recipe.trainer == "sft":
        given = [
            ["--model.model_name_or_path", model_argument(recipe.model)],
            ["--data.dataset", data],
            ["--data.input_key", "messages"],
            ["--data.multiturn"],
            ["--data.apply_chat_template"],
        ]
    else:
        assert recipe.server is not None
        gpus = str(recipe.actor_gpus_per_node or recipe.gpus_per_node)
        given = [
            ["--actor.model_name_or_path", model_argument(recipe.model)],
            _reward(recipe.server, folder, pin),
            ["--data.prompt_dataset", data],
            ["--data.input_key", "prompt"],
            ["--data.label_key", "label"],
            ["--data.apply_chat_template"],
            ["--actor.num_nodes", str(recipe.nodes)],
            ["--actor.num_gpus_per_node", gpus],
            ["--ref.num_nodes", str(recipe.nodes)],
            ["--ref.num_gpus_per_node", gpus],
        ]
    given += [
        ["--ckpt.path", str(folder.checkpoints)],
        ["--ckpt.output_dir", str(folder.model)],
        ["--logger.tensorboard_dir", str(folder.tensorboard)],
        ["--logger.wandb.run_name", folder.name],
    ]
    if recipe.wandb:
        # OpenRLHF only looks whether there is one, where WANDB_API_KEY has the real one.
        given.append(["--logger.wandb.key", "from-WANDB_API_KEY"])
    if resume:
        given.append(["--ckpt.load_enable"])
    return [*given, *to_arguments(with_full_paths(recipe.flags, "openrlhf."))]


def make_command(
    recipe: Recipe, folder: RunFolder, pin: ServerPin | None, where: Where = HERE, *, resume: bool = False
) -> Command:
    """The command that runs a recipe."""
    module = MODULES[recipe.trainer]
    environment = {**_UNBUFFERED}
    if recipe.server is not None:
        environment |= agent_environment(recipe.server, folder, pin)
    flags = arguments(recipe, folder, pin, resume=resume)
    if where.ray is not None:
        job = RayJob(address=where.ray, id=_job_id(folder.name))
        ray, at = [_program("ray"), "job"], ["--address", job.address]
        variables = json.dumps({"env_vars": environment}, ensure_ascii=False)
        submit = [*ray, "submit", *at, "--submission-id", job.id, "--runtime-env-json", variables, "--"]
        return Command([submit, ["python", "-m", module], *flags], {**_UNBUFFERED}, job, [*ray, "stop", *at, job.id])
    if where.api_key is not None and recipe.server is not None and recipe.server.agent == "executor":
        environment[API_KEY] = where.api_key
    if recipe.device == "cpu":
        start = [sys.executable, "-m", "trainer.openrlhf.cpu", module]
    elif recipe.trainer == "sft":
        start = [*_torchrun(recipe, where), "-m", module]
    else:
        start = [sys.executable, "-m", module]
    return Command([start, *flags], environment)


def agent_environment(server: ServerPart, folder: RunFolder, pin: ServerPin | None) -> dict[str, str]:
    """What our agent executor is told, by environment variables; nothing for OpenRLHF's own call."""
    if server.agent == "plain":
        return {}
    known = {"digest": pin.digest, "action_types": ",".join(pin.action_types)} if pin else {}
    if pin and server.certainty == "server":
        measured = {"certainty_source": pin.certainty_source, "certainty_model": pin.certainty_model}
        known |= {name: value for name, value in measured.items() if value is not None}
    files = server.tls.model_dump(exclude_none=True) if server.tls is not None else {}
    settings = {
        "server_url": ",".join(server.urls),
        "spec": server.spec,
        **known,
        "run": folder.name,
        "certainty": server.certainty,
        "top_k": str(server.top_k),
        "patience": f"{server.patience:g}",
        **{f"tls_{name}": str(full_path(file)) for name, file in files.items()},
        "rollouts": str(folder.rollouts),
    }
    return {VARIABLES[name]: value for name, value in settings.items()}


def _reward(server: ServerPart, folder: RunFolder, pin: ServerPin | None) -> list[str]:
    if server.agent == "executor":
        return ["--train.agent_func_path", str(AGENT)]
    query = urlencode({"spec": server.spec, **({"digest": pin.digest} if pin else {}), "run": folder.name}, safe=":")
    urls = [f"{url.rstrip('/').removesuffix('/score')}/score?{query}" for url in server.urls]
    # OpenRLHF asks them one after the other.
    return ["--reward.remote_url", ",".join(urls)]


def _job_id(run: str) -> str:
    """An id that no other job has, of characters that URLs, file names and shells leave alone."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", run)[:_LONGEST_JOB_NAME].strip("-")
    return f"{plain or 'run'}-{token_hex(4)}"


def _torchrun(recipe: Recipe, where: Where) -> list[str]:
    program = _program("torchrun")
    processes = ["--nproc-per-node", str(recipe.gpus_per_node)]
    if recipe.nodes == 1:
        return [program, "--standalone", *processes]
    host, _, port = (where.master or "HOST:PORT").rpartition(":")
    rank = "RANK" if where.node_rank is None else str(where.node_rank)
    nodes = ["--nnodes", str(recipe.nodes), "--node-rank", rank, "--master-addr", host, "--master-port", port]
    return [program, *nodes, *processes]


def _program(name: str) -> str:
    """The one beside this interpreter, whose environment need not be activated; where none is there, PATH's."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else name
