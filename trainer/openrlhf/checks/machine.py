"""What a run needs of the machine or the cluster that it starts on."""

import importlib.util
import os
from ipaddress import ip_address

import httpx

from trainer.openrlhf.problems import EnvironmentProblem
from trainer.openrlhf.recipe.command import Where
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import Recipe

_TIMEOUT_SECONDS = 10.0


def check_machine(recipe: Recipe, flags: Read, where: Where) -> None:
    """Raise EnvironmentProblem for what is missing: libraries, GPUs, a Ray cluster, keys."""
    if recipe.wandb and not os.environ.get("WANDB_API_KEY"):
        raise EnvironmentProblem("wandb: set WANDB_API_KEY, or wandb to false")
    if where.ray is not None:
        _check_cluster(recipe, where.ray)
        return
    if recipe.trainer == "sft":
        _check_nodes(recipe, where)
    else:
        if recipe.nodes > 1:
            raise EnvironmentProblem(f"nodes: {recipe.nodes} nodes need a Ray cluster: name it with --ray")
        if os.environ.get("RAY_ADDRESS"):
            raise EnvironmentProblem(
                "RAY_ADDRESS is set: the run would join that cluster without its own settings; unset it, or use --ray"
            )
    _check_libraries(recipe, flags)
    if recipe.device == "gpu":
        _check_gpus(recipe)


def _check_nodes(recipe: Recipe, where: Where) -> None:
    if recipe.nodes == 1:
        return
    if where.master is None or where.node_rank is None:
        raise EnvironmentProblem(
            f"nodes: {recipe.nodes} nodes find one another by --master HOST:PORT and --node-rank, given on each"
        )
    if where.node_rank >= recipe.nodes:
        raise EnvironmentProblem(f"--node-rank: {where.node_rank}, and {recipe.nodes} nodes are counted from 0")


def _check_libraries(recipe: Recipe, flags: Read) -> None:
    needed = ["openrlhf", "deepspeed"]
    if recipe.trainer == "grpo":
        needed += ["ray", "vllm"]
    if flags.count("ds.ring_attn_size", 1) > 1:
        needed.append("ring_flash_attn")
    if recipe.device == "gpu" and flags.text("ds.attn_implementation", "flash_attention_2") == "flash_attention_2":
        needed.append("flash_attn")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentProblem(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed; docs/train.md says how"
        )


def _check_gpus(recipe: Recipe) -> None:
    """Ray would wait for GPUs that are not there for ever."""
    import torch

    found = torch.cuda.device_count()
    if found < recipe.gpus_per_node:
        raise EnvironmentProblem(
            f"gpus_per_node: {recipe.gpus_per_node}, and this machine has {found}; cpu-smoke needs none"
        )


def _check_cluster(recipe: Recipe, address: str) -> None:
    if recipe.device == "cpu":
        raise EnvironmentProblem("device: a run on a CPU starts a Ray of its own; leave --ray out")
    if importlib.util.find_spec("ray") is None:
        raise EnvironmentProblem("--ray: ray, which submits the run, is not installed: pip install 'ray[default]'")
    try:
        response = httpx.get(f"{address.rstrip('/')}/api/version", timeout=_TIMEOUT_SECONDS)
        version = response.raise_for_status().json()["ray_version"]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EnvironmentProblem(f"--ray: {address} cannot be reached: {error or type(error).__name__}") from None
    except (ValueError, KeyError, TypeError):
        version = None
    if not isinstance(version, str):
        raise EnvironmentProblem(f"--ray: {address} answers, but not as the dashboard of a Ray cluster")
    if recipe.server is not None and _is_loopback(recipe.server.url) and not _is_loopback(address):
        raise EnvironmentProblem(
            f"server.url: {recipe.server.url} is this machine alone; the cluster's nodes need an address they can reach"
        )


def _is_loopback(url: str) -> bool:
    try:
        host = httpx.URL(url).host
        return host == "localhost" or ip_address(host).is_loopback
    except (httpx.InvalidURL, ValueError):
        return False
