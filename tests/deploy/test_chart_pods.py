"""Pods: hardened, probed, set up as the server understands it, and stopped without refusing anybody."""

import json
import os
from pathlib import Path
from typing import get_args

import pytest

from reward_server.certainty.sources import SourceName
from reward_server.cli.flags import environment_variable
from reward_server.service.state import create_state, read_specs
from reward_server.settings import Settings
from tests.deploy.chart import CHART, CI, Object, Rendered, ci_file, container, environment, render

pytestmark = pytest.mark.e2e

KEY = "a-key-that-nobody-should-see"
KEYS = "/etc/shop-r1/keys"


@pytest.fixture(params=CI, ids=lambda file: file.stem)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(request.param)


@pytest.fixture
def everything() -> Rendered:
    return render(ci_file("everything"))


def settings_of(deployment: Object, monkeypatch: pytest.MonkeyPatch, folder: Path | None = None) -> Settings:
    """The server's settings in a pod's environment; specs' files and the keys in a folder of this machine."""
    if folder is not None:
        (folder / "api-keys").write_text(KEY, encoding="utf-8")
    for name in [name for name in os.environ if name.startswith("REWARD_")]:
        monkeypatch.delenv(name)
    for name, value in environment(container(deployment, "server")).items():
        text = value if isinstance(value, str) else KEY
        monkeypatch.setenv(name, text.replace("/etc/shop-r1/specs", str(folder)).replace(KEYS, str(folder)))
    return Settings()


def test_no_container_runs_as_root_or_can_become_it(rendered: Rendered) -> None:
    for pod in rendered.pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
    for item in rendered.containers:
        context = item["securityContext"]
        assert context["runAsNonRoot"] is True
        assert (context["allowPrivilegeEscalation"], context["privileged"]) == (False, False)
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "runAsUser" not in context, "the pod's"


def test_root_is_refused_as_a_user() -> None:
    with pytest.raises(Exception, match="runAsUser"):
        render(values={"podSecurityContext": {"runAsUser": 0}})


def test_no_container_can_write_to_its_root_and_what_it_can_write_to_is_a_volume(rendered: Rendered) -> None:
    for pod in rendered.pods:
        volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
        for item in [*pod.get("initContainers", ()), *pod["containers"]]:
            assert item["securityContext"]["readOnlyRootFilesystem"] is True
            for mount in item.get("volumeMounts", ()):
                kinds = volumes[mount["name"]].keys() - {"name"}
                assert mount.get("readOnly") or kinds <= {"emptyDir", "persistentVolumeClaim"}


def test_probes_ask_the_paths_that_the_server_has(rendered: Rendered) -> None:
    for deployment in rendered.of("Deployment"):
        server = container(deployment, "server")
        paths = {name: server[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert {name: get["path"] for name, get in paths.items()} == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }
        assert {get["port"] for get in paths.values()} == {"http"}
        assert server["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]


def test_the_sidecar_may_take_as_long_as_values_say_and_its_rollout_waits_for_it() -> None:
    deployment = render(ci_file("sidecar")).one("Deployment")
    probe = container(deployment, "vllm")["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 2400
    assert deployment["spec"]["progressDeadlineSeconds"] > 2400


def test_the_sidecar_starts_before_the_server_and_stops_after_it() -> None:
    pod = render(ci_file("sidecar")).one("Deployment")["spec"]["template"]["spec"]
    assert [(item["name"], item["restartPolicy"]) for item in pod["initContainers"]] == [("vllm", "Always")]
    assert [item["name"] for item in pod["containers"]] == ["server"]


def test_the_sidecar_listens_on_loopback_where_the_server_asks_for_it() -> None:
    deployment = render(ci_file("sidecar")).one("Deployment")
    sidecar = container(deployment, "vllm")
    assert sidecar["command"] == ["python3", "-m", "reward_server.vllm_plugin", "meta-llama/Llama-3.2-3B-Instruct"]
    assert "--port=8000" in sidecar["args"]
    assert not [flag for flag in sidecar["args"] if "host" in flag]
    assert "ports" not in sidecar
    assert environment(container(deployment, "server"))["REWARD_VLLM_URL"] == "http://127.0.0.1:8000"


def test_the_sidecar_serves_the_model_and_revision_that_the_server_insists_on() -> None:
    deployment = render(ci_file("sidecar")).one("Deployment")
    asked = environment(container(deployment, "server"))
    sidecar = container(deployment, "vllm")
    assert sidecar["command"][-1] == asked["REWARD_CERTAINTY_MODEL"]
    assert f"--revision={asked['REWARD_CERTAINTY_REVISION']}" in sidecar["args"]


def test_only_the_sidecar_asks_for_gpus(everything: Rendered) -> None:
    with_gpu = {item["name"] for item in everything.containers if "nvidia.com/gpu" in str(item.get("resources", {}))}
    assert with_gpu == {"vllm"}


def test_every_container_says_what_it_needs(rendered: Rendered) -> None:
    for item in rendered.containers:
        assert item["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in item["resources"]["limits"]


def test_the_time_to_stop_covers_all_that_stopping_takes(rendered: Rendered) -> None:
    for deployment in rendered.of("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        server = container(deployment, "server")
        asked = environment(server)
        waits = server["lifecycle"]["preStop"]["sleep"]["seconds"]
        waits += int(asked["REWARD_DRAIN_SECONDS"]) + int(asked["REWARD_SHUTDOWN_SECONDS"])
        assert pod["terminationGracePeriodSeconds"] > waits


def test_a_pod_accepts_for_longer_than_readiness_takes_to_fail() -> None:
    server = container(render().one("Deployment"), "server")
    probe = server["readinessProbe"]
    # From SIGTERM on: before that, /readyz is as ever.
    accepting = int(environment(server)["REWARD_DRAIN_SECONDS"])
    assert accepting > probe["periodSeconds"] * probe["failureThreshold"]


def test_the_server_understands_every_variable(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {environment_variable(name) for name in Settings.model_fields}
    for deployment in rendered.of("Deployment"):
        asked = environment(container(deployment, "server"))
        assert {name for name in asked if name.startswith("REWARD_")} <= known
        settings = settings_of(deployment, monkeypatch)
        assert (settings.host, settings.port) == ("0.0.0.0", 8080)
        assert settings.open is not bool(settings.api_keys_file)


def test_large_numbers_arrive_as_they_are(everything: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = everything.one("Deployment", "shop-r1-v1")
    assert settings_of(deployment, monkeypatch).max_body_bytes == 128 * 2**20


def test_the_server_starts_with_its_specs(rendered: Rendered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for deployment in rendered.of("Deployment"):
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        for name in [volume["configMap"]["name"] for volume in volumes if volume["name"] == "specs"]:
            for file, text in rendered.one("ConfigMap", name)["data"].items():
                (tmp_path / file).write_text(text, encoding="utf-8")
        settings = settings_of(deployment, monkeypatch, tmp_path)
        if settings.certainty != "vllm-logprobs":  # it would download a tokenizer
            assert "shop-r1-no-rationale" in create_state(settings, read_specs(settings)).scorers, (
                "what `helm test` scores with"
            )


def test_a_spec_of_ours_is_what_scores_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rendered = render(ci_file("versions"))
    for file, text in rendered.one("ConfigMap", "shop-r1-v2-specs")["data"].items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    settings = settings_of(rendered.one("Deployment", "shop-r1-v2"), monkeypatch, tmp_path)
    state = create_state(settings, read_specs(settings))
    assert (state.default.spec.name, state.default.spec.dars) == ("gentle", 100)
    assert set(state.scorers) == {"gentle", "binary", "shop-r1-no-rationale"}


def test_the_certainty_sources_are_those_that_the_image_can_have() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert {*schema["definitions"]["certainty"]["properties"]["source"]["enum"], "local"} == {*get_args(SourceName)}


def test_a_changed_spec_replaces_the_pods_that_load_it_and_no_others() -> None:
    def checksums(dars: int) -> dict[str, str | None]:
        spec = f'extends = "shop-r1"\nname = "gentle"\ndars = {dars}.0\n'
        found = render(ci_file("versions"), values={"specs": {"gentle": spec}}).of("Deployment")
        return {
            item["metadata"]["name"]: item["spec"]["template"]["metadata"]["annotations"].get("checksum/specs")
            for item in found
        }

    before, after = checksums(100), checksums(200)
    assert before["shop-r1-v2"] != after["shop-r1-v2"]
    assert before["shop-r1-v1"] == after["shop-r1-v1"]


def test_changed_keys_leave_the_pods_that_read_them_again() -> None:
    def template(key: str) -> Object:
        return render(values={"auth": {"keys": [key]}}).one("Deployment")["spec"]["template"]

    assert template(KEY) == template(f"{KEY}-2")


def mounted_keys(deployment: Object) -> Object:
    """The volume whose folder holds the file that the server is told to read its keys from."""
    server = container(deployment, "server")
    folder, _, file = environment(server)["REWARD_API_KEYS_FILE"].rpartition("/")
    (mount,) = [mount for mount in server["volumeMounts"] if mount["mountPath"] == folder]
    assert "subPath" not in mount, "such a mount does not follow its Secret"
    (volume,) = [one for one in deployment["spec"]["template"]["spec"]["volumes"] if one["name"] == mount["name"]]
    (item,) = volume["secret"]["items"]
    assert item["path"] == file
    return {"name": volume["secret"]["secretName"], "key": item["key"]}


def test_keys_are_in_the_secret_and_nowhere_else() -> None:
    rendered = render(values={"auth": {"keys": [KEY]}})
    assert [item["kind"] for item in rendered.objects if KEY in str(item)] == ["Secret"]
    reference = {"name": rendered.one("Secret")["metadata"]["name"], "key": "api-keys"}
    assert mounted_keys(rendered.one("Deployment")) == reference
    assert rendered.one("Secret")["stringData"] == {"api-keys": KEY}


def test_a_server_that_is_open_is_given_no_keys() -> None:
    assert "api-keys" not in str(render(values={"auth": {"open": True}}).one("Deployment"))


def test_without_keys_one_is_made_up() -> None:
    made_up = {render(release=name).one("Secret")["stringData"]["api-keys"] for name in ("first", "second")}
    assert [len(key) for key in made_up] == [40, 40]


def test_an_existing_secret_is_used_and_none_is_made() -> None:
    rendered = render(ci_file("existing-secret"))
    assert rendered.of("Secret") == []
    reference = {"name": "reward-keys", "key": "keys.csv"}
    assert [mounted_keys(deployment) for deployment in rendered.of("Deployment")] == [reference]
    tests = [environment(item) for item in rendered.containers if item["name"] == "score"]
    assert [variables["REWARD_API_KEYS"]["secretKeyRef"] for variables in tests] == [reference]


def test_a_key_that_was_made_up_outlives_the_release_and_given_ones_do_not() -> None:
    kept = {"helm.sh/resource-policy": "keep"}
    assert render().one("Secret")["metadata"]["annotations"] == kept
    assert "annotations" not in render(values={"auth": {"keys": [KEY]}}).one("Secret")["metadata"]


def test_a_secret_that_is_made_has_the_key_that_pods_look_for() -> None:
    rendered = render(values={"auth": {"secretKey": "keys.csv"}})
    assert rendered.one("Secret")["stringData"].keys() == {"keys.csv"}
    assert mounted_keys(rendered.one("Deployment"))["key"] == "keys.csv"


def test_a_test_runs_where_its_version_s_pods_do() -> None:
    for file, name in ((ci_file("sidecar"), "main"), (ci_file("everything"), "v2")):
        rendered = render(file)
        pod = rendered.one("Deployment", f"shop-r1-{name}")["spec"]["template"]["spec"]
        for key in ("nodeSelector", "tolerations"):
            assert rendered.one("Pod", f"shop-r1-{name}-test")["spec"].get(key) == pod.get(key)


def test_going_without_tests_replaces_no_pods() -> None:
    values = {"auth": {"keys": [KEY]}, "tests": {"enabled": False}}
    assert render(ci_file("versions"), values=values).of("Pod") == []
    with_tests = render(ci_file("versions"), values={"auth": {"keys": [KEY]}})
    assert render(ci_file("versions"), values=values).of("Deployment") == with_tests.of("Deployment")


def test_a_new_version_of_the_chart_replaces_no_pods(rendered: Rendered) -> None:
    for deployment in rendered.of("Deployment"):
        assert "helm.sh/chart" not in deployment["spec"]["template"]["metadata"]["labels"]
