"""The alert rules: read by Prometheus, about metrics that servers export, tested both ways, each with a runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.promql import Samples, faults, queries_in
from tests.deploy.promtool import parse, promtool

ROOT = Path(__file__).parents[2]
RULES = ROOT / "k8s" / "chart" / "files" / "alerts.yaml"
TESTS = Path(__file__).parent / "alerts"
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
OPERATE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (ShopR1\w+)\n(.*?)(?=^## |\Z)", RUNBOOKS, re.MULTILINE | re.DOTALL))
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}


def cases(name: str) -> list[dict[str, Any]]:
    """The promtool tests of an alert."""
    return list(yaml.safe_load((TESTS / f"{name}.yaml").read_text(encoding="utf-8"))["tests"])


@pytest.mark.e2e
def test_prometheus_reads_the_rules() -> None:
    promtool("check", "rules", RULES)


@pytest.mark.e2e
@pytest.mark.parametrize("name", ALERTS)
def test_the_alert_fires_when_it_should_and_is_quiet_when_it_should(name: str) -> None:
    promtool("test", "rules", TESTS / f"{name}.yaml")


@pytest.mark.parametrize("name", ALERTS)
def test_the_alert_is_tested_firing_healthy_at_a_counter_reset_and_at_low_traffic(name: str) -> None:
    tested = {
        (words, any(check.get("exp_alerts") for check in case["alert_rule_test"]))
        for case in cases(name)
        for words in ("fires", "quiet when healthy", "quiet at a counter reset", "quiet at low traffic")
        if case["name"].startswith(words)
    }
    assert {words for words, fires in tested if fires} >= {"fires"}
    quiet = {"quiet when healthy", "quiet at a counter reset", "quiet at low traffic"}
    assert {words for words, fires in tested if not fires} >= quiet
    assert not quiet & {words for words, fires in tested if fires}


@pytest.mark.parametrize("name", ALERTS)
def test_the_tests_are_of_this_alert_and_of_these_rules(name: str) -> None:
    file = yaml.safe_load((TESTS / f"{name}.yaml").read_text(encoding="utf-8"))
    assert [(TESTS / path).resolve() for path in file["rule_files"]] == [RULES]
    assert {check["alertname"] for case in file["tests"] for check in case["alert_rule_test"]} == {name}


def test_every_test_is_of_an_alert() -> None:
    assert sorted(path.stem for path in TESTS.iterdir()) == sorted(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_the_alert_names_only_what_servers_export(name: str, exported: Samples) -> None:
    assert faults(ALERTS[name]["expr"], exported) == []


@pytest.mark.parametrize("name", ALERTS)
def test_the_tests_give_only_series_that_servers_export(name: str, exported: Samples) -> None:
    for case in cases(name):
        for series in case["input_series"]:
            metric, labels = re.fullmatch(r"(\w+)\{(.*)\}", series["series"]).groups()  # type: ignore[union-attr]
            of_the_test = set(re.findall(r"(\w+)=", labels)) - {"namespace", "job", "instance", "reward_version"}
            own = set(exported[metric][0]) if metric != "up" else set()
            assert of_the_test == own, series["series"]


@pytest.mark.parametrize("name", ALERTS)
def test_the_alert_says_how_bad_it_is_and_what_is_the_matter(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"].values())


@pytest.mark.parametrize("name", ALERTS)
def test_the_alert_has_a_runbook_with_meaning_causes_what_to_look_at_and_what_to_do(name: str) -> None:
    page, _, anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")
    assert page.endswith("/docs/runbooks.md")
    assert anchor == name.lower()
    assert re.findall(r"^\*\*(\w+)\.\*\*\s+\S", SECTIONS[name], re.MULTILINE) == ["Means", "Causes", "Look", "Do"]


def test_every_runbook_is_of_an_alert_and_links_only_to_others() -> None:
    assert list(SECTIONS) == list(ALERTS), "in the order of the rules"
    assert set(re.findall(r"\]\(#(\w+)\)", RUNBOOKS)) <= {name.lower() for name in ALERTS}


@pytest.mark.parametrize("name", ALERTS)
def test_operators_are_told_of_the_alert_and_its_severity(name: str) -> None:
    assert f"| `{name}` | {ALERTS[name]['labels']['severity']} |" in OPERATE


@pytest.mark.parametrize("query", [*queries_in(RUNBOOKS), *queries_in(OPERATE)])
def test_the_documents_ask_only_for_what_servers_export(query: str, exported: Samples) -> None:
    assert faults(query.replace("NAME", "a"), exported) == []


@pytest.mark.e2e
def test_prometheus_reads_the_documents_queries(tmp_path: Path) -> None:
    queries = queries_in(RUNBOOKS) + queries_in(OPERATE)
    assert len(queries) > 10, "the pattern still finds them"
    parse(queries, tmp_path)
