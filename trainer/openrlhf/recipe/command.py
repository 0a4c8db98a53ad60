"""A recipe as the exact command that runs it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from urllib.parse import urlencode

from trainer.model_names import means_a_folder
from trainer.openrlhf.recipe.flags import to_arguments
from trainer.openrlhf.recipe.parser import MODULES
from trainer.openrlhf.recipe.recipe import Recipe, ServerPart
from trainer.openrlhf.run.folder import RunFolder

AGENT = Path(__file__).parents[1] / "agent" / "executor.py"
"""Our agent executor, which OpenRLHF loads by its path."""

API_KEY = "SHOP_R1_API_KEY"
"""The environment variable of the server's key. It is passed on and never shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and what to add to its environment."""

    argv: list[str]
    environment: dict[str, str] = field(repr=False)
    parts: list[list[str]] = field(default_factory=list, repr=False)
    """`argv` as it is shown, a line each."""

    def shown_environment(self) -> dict[str, str]:
        """The environment without the key."""
        return {name: value for name, value in self.environment.items() if name != API_KEY}

    def shell(self) -> str:
        """The command for a shell: the environment, then the program, then a flag a line."""
        key = [f"{API_KEY}=…"] if API_KEY in self.environment else []
        environment = [f"{name}={quote(value)}" for name, value in self.shown_environment().items()]
        lines = [" ".join(map(quote, part)) for part in self.parts or [self.argv]]
        return " \\\n  ".join([*environment, *key, *lines])


@dataclass(frozen=True, slots=True)
class ServerPin:
    """What of the server a run holds on to."""

    url: str
    digest: str
    action_types: tuple[str, ...]


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
    return [*given, *to_arguments(recipe.flags)]


def make_command(
    recipe: Recipe, folder: RunFolder, pin: ServerPin | None, where: Where = HERE, *, resume: bool = False
) -> Command:
    """The command that runs a recipe."""
    module = MODULES[recipe.trainer]
    environment = {} if recipe.server is None else agent_environment(recipe.server, folder, pin)
    flags = arguments(recipe, folder, pin, resume=resume)
    if where.ray is not None:
        variables = json.dumps({"env_vars": environment}, ensure_ascii=False)
        submit = ["ray", "job", "submit", "--address", where.ray, "--runtime-env-json", variables, "--"]
        return _command([submit, ["python", "-m", module], *flags], {})
    if where.api_key is not None and recipe.server is not None and recipe.server.agent == "executor":
        environment[API_KEY] = where.api_key
    if recipe.device == "cpu":
        start = [sys.executable, "-m", "trainer.openrlhf.cpu", module]
    elif recipe.trainer == "sft":
        start = [*_torchrun(recipe, where), "-m", module]
    else:
        start = [sys.executable, "-m", module]
    return _command([start, *flags], environment)


def agent_environment(server: ServerPart, folder: RunFolder, pin: ServerPin | None) -> dict[str, str]:
    """What our agent executor is told, by environment variables; nothing for OpenRLHF's own call."""
    if server.agent == "plain":
        return {}
    known = {"SHOP_R1_DIGEST": pin.digest, "SHOP_R1_ACTION_TYPES": ",".join(pin.action_types)} if pin else {}
    return {
        "SHOP_R1_SERVER_URL": server.url,
        "SHOP_R1_SPEC": server.spec,
        **known,
        "SHOP_R1_RUN": folder.name,
        "SHOP_R1_CERTAINTY": server.certainty,
        "SHOP_R1_TOP_K": str(server.top_k),
        "SHOP_R1_PATIENCE": f"{server.patience:g}",
        "SHOP_R1_ROLLOUTS": str(folder.rollouts),
    }


def _reward(server: ServerPart, folder: RunFolder, pin: ServerPin | None) -> list[str]:
    if server.agent == "executor":
        return ["--train.agent_func_path", str(AGENT)]
    query = {"spec": server.spec, **({"digest": pin.digest} if pin else {}), "run": folder.name}
    base = server.url.rstrip("/").removesuffix("/score")
    return ["--reward.remote_url", f"{base}/score?{urlencode(query, safe=':')}"]


def full_path(name: str) -> Path:
    """A path as any working folder reads it."""
    return Path(name).expanduser().absolute()


def model_argument(name: str) -> str:
    """A model as OpenRLHF is told it: a folder by its full path, or a Hub id."""
    path = full_path(name)
    return str(path) if means_a_folder(name) else name


def _torchrun(recipe: Recipe, where: Where) -> list[str]:
    beside = Path(sys.executable).with_name("torchrun")
    program = str(beside) if beside.is_file() else "torchrun"
    processes = ["--nproc-per-node", str(recipe.gpus_per_node)]
    if recipe.nodes == 1:
        return [program, "--standalone", *processes]
    host, _, port = (where.master or "HOST:PORT").rpartition(":")
    rank = "RANK" if where.node_rank is None else str(where.node_rank)
    nodes = ["--nnodes", str(recipe.nodes), "--node-rank", rank, "--master-addr", host, "--master-port", port]
    return [program, *nodes, *processes]


def _command(parts: Sequence[Sequence[str]], environment: Mapping[str, str]) -> Command:
    lines = [list(part) for part in parts]
    return Command([argument for line in lines for argument in line], dict(environment), lines)
