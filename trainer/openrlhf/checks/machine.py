"""What a run needs of the machine or the cluster that it starts on."""

import importlib.util
import os
from collections.abc import Iterator
from urllib.parse import quote

import httpx

from reward_server.client.options import is_loopback
from trainer.openrlhf.problems import EnvironmentProblem
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import Recipe
from trainer.openrlhf.run.command import Where
from trainer.openrlhf.run.folder import RayJob

_TIMEOUT_SECONDS = 10.0
_GOES_ON = ("PENDING", "RUNNING")
"""Of Ray's job statuses (job/common.py), those after which another follows."""


def check_machine(recipe: Recipe, flags: Read, where: Where) -> None:
    """Raise EnvironmentProblem for what is missing: libraries, GPUs, a Ray cluster, keys."""
    for problem in problems_of_place(recipe, where):
        raise EnvironmentProblem(problem)
    if where.ray is not None:
        _check_cluster(where.ray)
        return
    _check_libraries(recipe, flags)
    if recipe.device == "gpu":
        _check_gpus(recipe)


def problems_of_place(recipe: Recipe, where: Where) -> Iterator[str]:
    """What is wrong with where a run is to start, as far as nobody needs to be asked."""
    if where.ray is not None:
        yield from _problems_of_submission(recipe, where.ray)
        return
    if recipe.wandb and not os.environ.get("WANDB_API_KEY"):
        yield "wandb: set WANDB_API_KEY, or wandb to false"
    if recipe.trainer == "sft":
        yield from _problems_of_nodes(recipe, where)
        return
    if recipe.nodes > 1:
        yield f"nodes: {recipe.nodes} nodes need a Ray cluster: name it with --ray"
    if os.environ.get("RAY_ADDRESS"):
        yield "RAY_ADDRESS is set: the run would join that cluster without its own settings; unset it, or use --ray"


def _problems_of_submission(recipe: Recipe, address: str) -> Iterator[str]:
    if recipe.device == "cpu":
        yield "device: a run on a CPU starts a Ray of its own; leave --ray out"
    for url in recipe.server.urls if recipe.server is not None and not _is_loopback(address) else ():
        if _is_loopback(url):
            yield f"server.url: {url} is this machine alone; the cluster's nodes need an address they can reach"


def _problems_of_nodes(recipe: Recipe, where: Where) -> Iterator[str]:
    if recipe.nodes == 1:
        for option, value in (("--node-rank", where.node_rank), ("--master", where.master)):
            if value is not None:
                yield f"{option}: the recipe has one node: set nodes, on each node alike"
        return
    if where.master is None or where.node_rank is None:
        yield f"nodes: {recipe.nodes} nodes find one another by --master HOST:PORT and --node-rank, given on each"
    elif where.node_rank >= recipe.nodes:
        yield f"--node-rank: {where.node_rank}, and {recipe.nodes} nodes are counted from 0"


def check_job_is_over(job: RayJob, where: Where) -> None:
    """Raise EnvironmentProblem where the job of a run's earlier part still writes into its folder.

    It is looked for at its own address and at the one now given; a cluster that is gone has none.
    """
    for address in dict.fromkeys((job.address, where.ray or job.address)):
        status = _job_status(address, job.id)
        if status in _GOES_ON:
            raise EnvironmentProblem(
                f"the run's Ray job {job.id} is still {status} at {address}: wait for it, or end it with "
                f"`ray job stop --address {address} {job.id}`"
            )


def _job_status(address: str, job: str) -> object:
    try:
        response = httpx.get(f"{address.rstrip('/')}/api/jobs/{quote(job, safe='')}", timeout=_TIMEOUT_SECONDS)
        body = response.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    return body.get("status") if isinstance(body, dict) else None


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


def _check_cluster(address: str) -> None:
    if importlib.util.find_spec("ray") is None:
        raise EnvironmentProblem("--ray: ray, which submits the run, is not installed: pip install 'ray[default]'")
    try:
        response = httpx.get(f"{address.rstrip('/')}/api/version", timeout=_TIMEOUT_SECONDS)
        version = response.raise_for_status().json()["ray_version"]
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
        version = None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EnvironmentProblem(f"--ray: {address} cannot be reached: {error or type(error).__name__}") from None
    if not isinstance(version, str):
        raise EnvironmentProblem(f"--ray: {address} answers, but not as the dashboard of a Ray cluster")


def _is_loopback(url: str) -> bool:
    try:
        return is_loopback(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False
