"""docker/compose.yaml: keys that Compose knows, files that are there, and services that fit together."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from reward_server.cli.flags import environment_variable
from reward_server.settings import Settings
from tests.deploy.dockerfile import read_stages
from tests.deploy.sandbox import ROOT

DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mounts(service: str) -> dict[str, Path]:
    """The files of the repository that a service sees, by where it sees them."""
    volumes = [volume.split(":") for volume in SERVICES[service]["volumes"]]
    return {target: DOCKER / source for source, target, *_ in volumes if source.startswith(".")}


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_every_key_is_one_of_the_specification() -> None:
    schema = json.loads(Path(__file__).with_name("compose.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(COMPOSE, schema)


@pytest.mark.parametrize("service", [name for name in SERVICES if "volumes" in SERVICES[name]])
def test_every_mounted_file_is_in_the_repository(service: str) -> None:
    assert [str(file) for file in mounts(service).values() if not file.is_file()] == []
    named = [volume.split(":")[0] for volume in SERVICES[service]["volumes"] if not volume.startswith(".")]
    assert set(named) <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("service", ["reward-server", "vllm"])
def test_our_images_are_built_from_our_dockerfiles(service: str) -> None:
    build = SERVICES[service]["build"]
    assert (DOCKER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_published_beyond_this_machine(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", []))


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_keeps_capabilities(service: str) -> None:
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]


def test_the_server_is_told_settings_that_it_has() -> None:
    known = {environment_variable(name) for name in Settings.model_fields}
    assert set(SERVICES["reward-server"]["environment"]) <= known


def test_the_server_has_time_to_finish_what_it_has_begun() -> None:
    grace = int(SERVICES["reward-server"]["stop_grace_period"].removesuffix("s"))
    defaults = Settings.model_fields
    assert grace > defaults["drain_seconds"].default + defaults["shutdown_seconds"].default


def test_only_the_gpu_profile_starts_a_vllm_and_the_server_finds_it_on_its_loopback() -> None:
    vllm = SERVICES["vllm"]
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == ["vllm"]
    assert vllm["network_mode"] == "service:reward-server"
    assert "REWARD_VLLM_URL" not in SERVICES["reward-server"]["environment"]
    # Neither says otherwise: the plugin listens on 127.0.0.1, vLLM on 8000, which is where the server looks.
    assert Settings.model_fields["vllm_url"].default == "http://127.0.0.1:8000"
    assert not {"--host", "--port"} & set(vllm["command"])


def test_prometheus_scrapes_the_server_s_port_and_reads_the_alerts() -> None:
    config = read(DOCKER / "prometheus" / "prometheus.yaml")
    (scrape,) = config["scrape_configs"]
    port = read_stages(DOCKER / "Dockerfile")[-1].only("EXPOSE").rest
    assert scrape["static_configs"] == [{"targets": [f"reward-server:{port}"]}]
    (pattern,) = config["rule_files"]
    (rules,) = [target for target, file in mounts("prometheus").items() if file.name == "alerts.yaml"]
    assert Path(rules).match(str(Path("/etc/prometheus", pattern)))


def test_grafana_reads_its_dashboard_and_asks_that_prometheus() -> None:
    seen = mounts("grafana")
    (provider,) = read(seen["/etc/grafana/provisioning/dashboards/shop-r1.yaml"])["providers"]
    (dashboard,) = [target for target, file in seen.items() if file.name == "dashboard.json"]
    assert str(Path(dashboard).parent) == provider["options"]["path"]
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == dashboard
    (source,) = read(seen["/etc/grafana/provisioning/datasources/shop-r1.yaml"])["datasources"]
    assert source["isDefault"]
    assert re.fullmatch(r"http://(\w+):9090", source["url"])[1] in SERVICES  # type: ignore[index]


def test_nobody_can_do_more_in_grafana_than_look() -> None:
    settings = SERVICES["grafana"]["environment"]
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    # Without a form, admin:admin would still do over HTTP.
    assert settings["GF_AUTH_BASIC_ENABLED"] == "false"


@pytest.mark.e2e
def test_promtool_takes_prometheus_config_with_the_alerts_beside_it(tmp_path: Path) -> None:
    assert shutil.which("promtool"), "promtool is missing: Debian's package prometheus has it"
    for target, file in mounts("prometheus").items():
        seen = tmp_path / target.lstrip("/")
        seen.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, seen)
    checked = subprocess.run(
        ["promtool", "check", "config", tmp_path / "etc/prometheus/prometheus.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 rule files found" in checked.stdout
