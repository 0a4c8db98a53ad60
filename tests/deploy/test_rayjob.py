"""k8s/rayjob.yaml and k8s/raycluster.yaml: manifests that KubeRay takes, around recipes that our command takes."""

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from reward_server import __version__
from reward_server.reward.spec import load_preset
from tests.deploy.sandbox import ROOT
from trainer.cli.grpo import grpo
from trainer.openrlhf.checks.agreement import check_flags
from trainer.openrlhf.checks.entrypoint import check_entrypoint
from trainer.openrlhf.checks.machine import problems_of_place
from trainer.openrlhf.checks.reward_clip import check_clip
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import Recipe, read_recipe
from trainer.openrlhf.run.command import Where, arguments
from trainer.openrlhf.run.folder import RunFolder

KUBERNETES = "1.30"
DASHBOARD = "http://127.0.0.1:8265"


def manifest(name: str) -> dict[str, Any]:
    """The one object of a file."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "k8s" / name).read_text(encoding="utf-8"))
    return loaded


JOB, CLUSTER, RECIPES, STORAGE = map(manifest, ("rayjob.yaml", "raycluster.yaml", "recipe.yaml", "storage.yaml"))
CLUSTERS = {"rayjob": JOB["spec"]["rayClusterSpec"], "raycluster": CLUSTER["spec"]}
RECIPE_OF = {"rayjob": "recipe.yaml", "raycluster": "recipe-2-nodes.yaml"}
each = pytest.mark.parametrize("name", CLUSTERS)


def templates(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    """The pod templates of a cluster: the head's, then the workers'."""
    return [cluster["headGroupSpec"]["template"], *(group["template"] for group in cluster["workerGroupSpecs"])]


def containers(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    return [container for template in templates(cluster) for container in template["spec"]["containers"]]


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """The ConfigMap as pods see it."""
    for name, text in RECIPES["data"].items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def recipe(mounted: Path, name: str) -> Recipe:
    return read_recipe(str(mounted / RECIPE_OF[name]))


@pytest.mark.parametrize("ray", [JOB, CLUSTER], ids=lambda ray: ray["kind"])
def test_every_key_is_one_of_kuberay_s(ray: dict[str, Any]) -> None:
    schema = json.loads((Path(__file__).parent / "crds" / "ray.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(ray, schema)


@pytest.mark.parametrize(
    "template",
    [JOB["spec"]["submitterPodTemplate"], *(found for cluster in CLUSTERS.values() for found in templates(cluster))],
    ids=["submitter", "head", "workers", "standing-head", "standing-workers"],
)
def test_pods_are_those_of_kubernetes_and_run_as_nobody(template: dict[str, Any]) -> None:
    pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "a"}, "template": template}
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    assert template["spec"]["securityContext"]["runAsNonRoot"]
    assert template["spec"]["securityContext"]["runAsUser"] == 10001
    assert template["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in template["spec"]["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("thing", [RECIPES, STORAGE], ids=lambda thing: thing["kind"])
def test_config_map_and_claim_are_those_of_kubernetes(thing: dict[str, Any]) -> None:
    kubernetes_validate.validate(thing, KUBERNETES, strict=True)


@each
def test_openrlhf_s_settings_go_together(name: str, recipe: Recipe) -> None:
    check_flags(recipe, Read(recipe.flags))
    assert recipe.server is not None
    check_clip(Read(recipe.flags), load_preset(recipe.server.spec))
    check_entrypoint(recipe, arguments(recipe, RunFolder(Path(recipe.out)), None))


@each
def test_there_are_the_nodes_and_gpus_that_the_recipe_counts_on(name: str, recipe: Recipe) -> None:
    head, (workers,) = CLUSTERS[name]["headGroupSpec"], CLUSTERS[name]["workerGroupSpecs"]
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"] == recipe.nodes
    (worker,) = workers["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == recipe.gpus_per_node
    assert "nvidia.com/gpu" not in json.dumps(head["template"])
    assert head["rayStartParams"]["num-cpus"] == "0", "OpenRLHF's actors belong on the nodes with GPUs"


@each
def test_every_node_has_recipe_storage_and_key_at_the_same_place(name: str, recipe: Recipe) -> None:
    for template in templates(CLUSTERS[name]):
        spec = template["spec"]
        (container,) = spec["containers"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        at = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
        assert at["/etc/shop-r1"]["configMap"]["name"] == RECIPES["metadata"]["name"]
        assert at["/shared"]["persistentVolumeClaim"]["claimName"] == STORAGE["metadata"]["name"]
        key = next(variable for variable in container["env"] if variable["name"] == "SHOP_R1_API_KEY")
        assert key["valueFrom"]["secretKeyRef"] == {"name": "shop-r1-trainer", "key": "api-key"}
    assert STORAGE["spec"]["accessModes"] == ["ReadWriteMany"]
    assert all(path.startswith("/shared/") for path in (recipe.model, recipe.data, recipe.out))


@each
def test_no_key_is_written_down(name: str) -> None:
    said = [
        variable for container in containers(CLUSTERS[name]) for variable in container["env"] if "value" in variable
    ]
    assert all("KEY" not in variable["name"] for variable in said)
    assert not any("key" in json.dumps(yaml.safe_load(text)).lower() for text in RECIPES["data"].values())


@each
def test_the_server_is_called_by_its_name_in_the_cluster(name: str, recipe: Recipe) -> None:
    assert recipe.server is not None
    url = urlsplit(*recipe.server.urls)
    assert re.fullmatch(r"shop-r1-[a-z0-9-]+\.[a-z0-9-]+\.svc\.cluster\.local", url.hostname or "")
    assert url.port == 8080


@each
def test_every_pod_has_the_trainer_of_this_version(name: str) -> None:
    submitter = JOB["spec"]["submitterPodTemplate"]["spec"]["containers"]
    images = {container["image"] for container in [*containers(CLUSTERS[name]), *submitter]}
    assert images == {f"ghcr.io/shop-r1/trainer:{__version__}"}


def test_job_and_standing_cluster_differ_in_their_number_of_nodes_alone() -> None:
    ours, theirs = (json.loads(json.dumps(cluster)) for cluster in CLUSTERS.values())
    for cluster in (ours, theirs):
        for count in ("replicas", "minReplicas", "maxReplicas"):
            del cluster["workerGroupSpecs"][0][count]
    assert ours == theirs


def test_ray_is_the_one_that_the_trainer_was_run_with() -> None:
    tested = (ROOT / "trainer" / "openrlhf" / "cpu" / "requirements.txt").read_text(encoding="utf-8")
    ray = re.search(r"^ray\[default\]==(\S+)$", tested, re.MULTILINE)
    assert ray is not None
    assert {cluster["rayVersion"] for cluster in CLUSTERS.values()} == {ray[1]}


def test_inside_a_ray_job_only_submitting_again_is_right(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ray sets it for every job's driver (job_supervisor.py:275), KubeRay in every pod.
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    recipe = read_recipe(str(mounted / "recipe.yaml"))
    assert any("RAY_ADDRESS" in problem for problem in problems_of_place(recipe, Where()))
    assert list(problems_of_place(recipe, Where(ray=DASHBOARD))) == []


def test_the_entrypoint_is_our_command_and_prints_a_job_for_the_head(
    mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    app = typer.Typer()
    app.command()(grpo)
    program, command, *arguments = shlex.split(JOB["spec"]["entrypoint"])
    assert (program, command, arguments[0]) == ("shop-r1", "grpo", "/etc/shop-r1/recipe.yaml")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setenv("SHOP_R1_API_KEY", "never-to-be-shown")
    # No such server here: it is asked all the same, and that it is not there is told as a doubt.
    local = [str(mounted / "recipe.yaml"), *arguments[1:], "--server", "http://127.0.0.1:9"]
    shown = CliRunner().invoke(app, [*local, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert f"ray job submit --address {DASHBOARD} " in shown.stdout
    assert "--actor.num_nodes 1" in shown.stdout
    assert "--train.agent_func_path" in shown.stdout
    assert "never-to-be-shown" not in shown.output
