"""What a run needs around it: a cluster that answers, GPUs that are there, libraries, nodes that can meet."""

import json
from typing import Any

import pytest

from tests.trainer.web_server import web_server
from trainer.openrlhf.checks.machine import check_job_is_over, check_machine, problems_of_place
from trainer.openrlhf.problems import EnvironmentProblem
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.openrlhf.run.command import Where
from trainer.openrlhf.run.folder import RayJob


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def refusal(name: str, *changes: tuple[str, Any], where: Where | None = None) -> str:
    recipe = read_recipe(name, changes)
    with pytest.raises(EnvironmentProblem) as caught:
        check_machine(recipe, Read(recipe.flags), where or Where())
    return str(caught.value)


def test_two_nodes_need_a_cluster() -> None:
    assert "--ray" in refusal("grpo-2-nodes")


def test_a_cluster_that_the_environment_names_would_be_joined_by_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert "RAY_ADDRESS is set" in refusal("grpo-cpu-smoke")


@pytest.mark.parametrize(
    ("where", "option"), [(Where(node_rank=1), "--node-rank"), (Where(master="node-0:29500"), "--master")]
)
def test_a_recipe_of_one_node_has_no_place_for_a_second(where: Where, option: str) -> None:
    assert f"{option}: the recipe has one node: set nodes" in refusal("sft", where=where)
    assert f"{option}: the recipe has one node: set nodes" in refusal("sft-cpu-smoke", where=where)


def test_nodes_of_sft_must_be_told_how_to_meet() -> None:
    assert "--master HOST:PORT and --node-rank" in refusal("sft", ("nodes", 2))
    far = Where(master="node-0:29500", node_rank=2)
    assert "--node-rank: 2, and 2 nodes are counted from 0" in refusal("sft", ("nodes", 2), where=far)


def test_weights_and_biases_needs_its_key() -> None:
    assert "WANDB_API_KEY" in refusal("grpo", ("wandb", True))


def test_the_key_of_a_submitted_run_is_the_cluster_s_own_affair() -> None:
    recipe = read_recipe("grpo", [("wandb", True), ("server.url", "http://rewards:8080")])
    assert list(problems_of_place(recipe, Where(ray="http://head:8265"))) == []


def test_a_run_on_a_cpu_is_not_submitted() -> None:
    assert "leave --ray out" in refusal("grpo-cpu-smoke", where=Where(ray="http://127.0.0.1:1"))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert refusal("grpo-cpu-smoke").startswith("openrlhf, deepspeed, ray, vllm are not installed")
    assert refusal("sft").startswith("openrlhf, deepspeed, ring_flash_attn, flash_attn are not installed")
    assert "ray, which submits" in refusal("grpo", where=Where(ray="http://127.0.0.1:1"))


def test_gpus_that_are_not_there_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert "gpus_per_node: 8, and this machine has 4" in refusal("grpo")


@pytest.fixture
def _with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)


@pytest.mark.usefixtures("_with_ray")
@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", json.dumps({"ray_version": 2}).encode()])
def test_an_address_that_is_no_cluster_is_told(body: bytes) -> None:
    with web_server({"/api/version": (200, body)}) as url:
        assert "not as the dashboard of a Ray cluster" in refusal("grpo", where=Where(ray=url))


@pytest.mark.usefixtures("_with_ray")
def test_a_cluster_that_answers_will_do() -> None:
    recipe = read_recipe("grpo-2-nodes")
    with web_server({"/api/version": (200, b'{"version": "4", "ray_version": "2.55.0"}')}) as url:
        check_machine(recipe, Read(recipe.flags), Where(ray=url))


@pytest.mark.usefixtures("_with_ray")
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "head", "http://[", "ftp://host"])
def test_a_cluster_that_cannot_be_reached_is_told(url: str) -> None:
    rewards = ("server.url", "http://rewards:8080")
    assert f"--ray: {url} cannot be reached" in refusal("grpo", rewards, where=Where(ray=url))


def test_nodes_elsewhere_cannot_reach_a_server_on_this_machine() -> None:
    assert "server.url: http://127.0.0.1:8080 is this machine" in refusal("grpo", where=Where(ray="http://head:8265"))
    several = ("server.url", ["http://rewards:8080", "http://localhost:8080"])
    said = refusal("grpo", several, where=Where(ray="http://head:8265"))
    assert said.startswith("server.url: http://localhost:8080 is this machine alone")


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_a_job_that_goes_on_has_the_run_s_folder(status: str) -> None:
    body = json.dumps({"status": status, "submission_id": "run-1"}).encode()
    with web_server({"/api/jobs/run-1": (200, body)}) as url, pytest.raises(EnvironmentProblem) as caught:
        check_job_is_over(RayJob(address=url, id="run-1"), Where())
    told = f"the run's Ray job run-1 is still {status} at {url}: wait for it, or end it with "
    assert str(caught.value) == f"{told}`ray job stop --address {url} run-1`"


def test_a_job_is_looked_for_where_its_cluster_is_reached_now() -> None:
    job = RayJob(address="http://127.0.0.1:1", id="run-1")
    with web_server({"/api/jobs/run-1": (200, b'{"status": "RUNNING"}')}) as url:
        with pytest.raises(EnvironmentProblem, match="still RUNNING"):
            check_job_is_over(job, Where(ray=f"{url}/"))
        check_job_is_over(job, Where())


@pytest.mark.parametrize("body", [b'{"status": "STOPPED"}', b'{"status": "FAILED"}', b'{"status": {}}', b"[]", b"gone"])
def test_a_job_that_is_over_holds_nothing(body: bytes) -> None:
    with web_server({"/api/jobs/run-1": (200, body)}) as url:
        check_job_is_over(RayJob(address=url, id="run-1"), Where(ray=url))
        check_job_is_over(RayJob(address=url, id="never-submitted"), Where(ray=url))
