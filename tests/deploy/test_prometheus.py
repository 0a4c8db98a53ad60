"""A real Prometheus scrapes real servers: every panel shows something, and every rule can be evaluated."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.busy_servers import BusyServers, busy_servers
from tests.deploy.dashboard_file import QUERIES, VARIABLES, filled_in, selector_of
from tests.deploy.promtool import tool
from tests.deploy.test_alerts import ALERTS, RULES
from tests.reward_server.certainty.faulty_vllm import free_port
from tests.reward_server.service.support import eventually

pytestmark = pytest.mark.e2e

BUSY_SECONDS = 12
Ask = Callable[..., Any]


@contextmanager
def running_prometheus(busy: BusyServers, folder: Path) -> Iterator[Ask]:
    """A Prometheus with the alert rules; call what this yields with a path of its API."""
    targets = [
        {"targets": [server.url.removeprefix("http://")], "labels": {"namespace": "rl", "reward_version": version}}
        for version, server in (("v1", busy.by_rollouts), ("v2", busy.by_vllm))
    ]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "shop-r1", "static_configs": targets}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [tool("prometheus"), f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL)

    def ask(path: str, **parameters: str) -> Any:
        answer = httpx.get(f"http://{address}/api/v1/{path}", params=parameters, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def listens() -> bool:
        assert process.poll() is None, "Prometheus did not start"
        try:
            return httpx.get(f"http://{address}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    try:
        eventually(listens)
        yield ask
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A Prometheus that has watched servers score, and one of them lose its vLLM."""
    with busy_servers() as busy, running_prometheus(busy, tmp_path_factory.mktemp("prometheus")) as ask:
        until = monotonic() + BUSY_SECONDS
        while monotonic() < until:
            busy.score()
            sleep(0.2)
        busy.lose_vllm()
        eventually(lambda: ask("query", query="sum(shop_r1_certainty_failures_total)")["result"][0]["value"][1] == "1")
        yield ask


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_panel_shows_numbers(query: str, ask: Ask) -> None:
    result = ask("query", query=filled_in(query, interval="1m"))["result"]
    assert any(isfinite(float(series["value"][1])) for series in result), result


@pytest.mark.parametrize("variable", VARIABLES[1:], ids=lambda variable: variable["name"])
def test_a_variable_has_something_to_choose(variable: dict[str, Any], ask: Ask) -> None:
    query, label = selector_of(variable)
    assert ask(f"label/{label}/values", **{"match[]": query})


def test_every_rule_can_be_evaluated(ask: Ask) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in ask("rules")["groups"] for rule in group["rules"]]

    eventually(lambda: all(rule["health"] != "unknown" for rule in rules()))
    assert {rule["name"]: rule.get("lastError", "") for rule in rules()} == dict.fromkeys(ALERTS, "")


def test_the_lost_vllm_and_the_mixed_run_are_noticed_and_servers_that_are_well_are_not(ask: Ask) -> None:
    def noticed() -> set[str]:
        return {alert["labels"]["alertname"] for alert in ask("alerts")["alerts"]}

    eventually(lambda: noticed() >= {"ShopR1TwoDigestsInOneRun", "ShopR1CertaintySourceDown"})
    well = {f"ShopR1{what}" for what in ("ServerDown", "NotScraped", "Errors", "Slow", "RequestsPilingUp")}
    assert well <= set(ALERTS)
    assert not noticed() & well
