"""The dashboard: up to date, well laid out, and every query about what servers export."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from k8s.dashboard.page import text
from tests.deploy.dashboard_file import DASHBOARD, FILE, PANELS, QUERIES, VARIABLES, filled_in, selector_of
from tests.deploy.promql import TARGET_LABELS, Samples, faults, grouping, selectors
from tests.deploy.promtool import parse

ROWS = [
    "Health",
    "Rewards",
    "Predictions against labels",
    "Formats",
    "Certainty",
    "Runs and digests",
    "Versions",
]
UNITS = {"short", "reqps", "ops", "s", "bytes", "percentunit"}
CHOOSERS = [variable for variable in VARIABLES if variable["type"] == "query"]


def by_title(panels: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(panel, id=f"{panel['title']} {panel['id']}") for panel in panels]


def test_the_file_is_what_the_code_writes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m k8s.dashboard"


def test_its_rows_are_those_that_operators_look_for() -> None:
    assert [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"] == ROWS


def test_it_can_be_narrowed_to_source_namespace_job_version_spec_and_run() -> None:
    assert [variable["name"] for variable in VARIABLES] == ["datasource", "namespace", "job", "version", "spec", "run"]


@pytest.mark.parametrize("variable", CHOOSERS, ids=lambda variable: variable["name"])
def test_a_variable_is_read_from_what_servers_export_and_holds_where_its_label_is_not_set(
    variable: dict[str, Any], exported: Samples
) -> None:
    query, label = selector_of(variable)
    assert faults(query, exported) == []
    (metric,) = (selector.metric for selector in selectors(query))
    assert label in TARGET_LABELS | set(exported[metric][0])
    assert re.fullmatch(variable["allValue"], "")


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_only_what_servers_export(query: str, exported: Samples) -> None:
    assert faults(filled_in(query), exported) == []


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_is_narrowed_by_every_variable_that_its_metrics_know(query: str, exported: Samples) -> None:
    for selector in selectors(query):
        chosen = {value for _, _, value in selector.matchers if value.startswith("$")}
        own = {"$spec", "$run"} & {f"${label}" for label in exported[selector.metric][0]}
        assert chosen == {"$namespace", "$job", "$version"} | own, selector


@pytest.mark.parametrize("panel", by_title(PANELS))
def test_a_legend_names_only_labels_that_its_query_keeps(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        kept = grouping(target["expr"]) or TARGET_LABELS | {"source"}
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept
        if panel["type"] == "timeseries":
            told_apart = target["legendFormat"].strip()
            assert told_apart


@pytest.mark.parametrize("panel", by_title([panel for panel in PANELS if panel["type"] == "timeseries"]))
def test_the_lines_of_a_graph_have_names_of_their_own(panel: dict[str, Any]) -> None:
    legends = [target["legendFormat"] for target in panel["targets"]]
    assert len(set(legends)) == len(legends)
    assert panel["options"]["legend"]["showLegend"]


@pytest.mark.parametrize("panel", by_title(PANELS))
def test_a_panel_has_a_unit_and_the_chosen_data_source(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_no_panel_lies_on_another_or_outside() -> None:
    boxes = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    for one, other in combinations(boxes, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_every_panel_has_a_number_of_its_own() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_every_metric_of_the_server_is_shown(exported: Samples) -> None:
    shown = {selector.metric for query in QUERIES.values() for selector in selectors(query)}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported if name.startswith("shop_r1_")}
    assert {name for name in families if not any(metric.startswith(name) for metric in shown)} == set()


@pytest.mark.e2e
def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    annotations = [annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]]
    parse([filled_in(query) for query in [*QUERIES.values(), *annotations]], tmp_path)
