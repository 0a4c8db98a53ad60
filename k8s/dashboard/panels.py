"""Panels as Grafana has them in JSON."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _targets(queries: Sequence[tuple[str, str]], **more: object) -> list[Json]:
    return [
        {"refId": ref, "datasource": SOURCE, "expr": expr, "legendFormat": legend, **more}
        for ref, (expr, legend) in zip("ABCDEF", queries, strict=False)
    ]


def _panel(kind: str, title: str, why: str, unit: str, size: tuple[int, int], targets: list[Json]) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": why,
        "datasource": SOURCE,
        "gridPos": {"w": size[0], "h": size[1]},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": targets,
    }


def graph(
    title: str,
    unit: str,
    *queries: tuple[str, str],
    why: str = "",
    width: int = 8,
    stack: bool = False,
    negative: bool = False,
) -> Json:
    """Lines over time, from (query, legend) pairs; `negative` where they may go below 0."""
    panel = _panel("timeseries", title, why, unit, (width, 8), _targets(queries))
    panel["fieldConfig"]["defaults"] |= {
        **({} if negative else {"min": 0}),
        **({"max": 1} if unit == "percentunit" else {}),
        "custom": {
            "lineWidth": 1,
            "fillOpacity": 30 if stack else 5,
            "showPoints": "never",
            "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        },
    }
    panel["options"] = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["mean", "lastNotNull"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel


def number(title: str, unit: str, query: str, *, why: str = "", bad_above: float | None = None) -> Json:
    """The present value, red from `bad_above` on."""
    panel = _panel("stat", title, why, unit, (4, 4), _targets([(query, title)]))
    steps: list[Json] = [{"color": "text" if bad_above is None else "green", "value": None}]
    if bad_above is not None:
        steps.append({"color": "red", "value": bad_above})
    panel["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": steps}
    panel["options"] = {
        "colorMode": "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return panel


def table(
    title: str, query: str, *, value: str = "", why: str = "", width: int = 8, matrix: Json | None = None
) -> Json:
    """The labels of an instant query, and its value under a name of its own; or a matrix of two of the labels."""
    panel = _panel("table", title, why, "short", (width, 8), _targets([(query, "")], format="table", instant=True))
    panel["fieldConfig"]["defaults"]["decimals"] = 0
    hidden = {"Time": True, **({} if value else {"Value": True})}
    names = {"Value": value, "reward_version": "version", "version": "server version"}
    panel["transformations"] = [
        {"id": "groupingToMatrix", "options": matrix}
        if matrix
        else {"id": "organize", "options": {"excludeByName": hidden, "renameByName": names}}
    ]
    return panel


def heat(title: str, query: str, *, why: str = "", width: int = 8) -> Json:
    """A histogram over time."""
    panel = _panel("heatmap", title, why, "short", (width, 8), _targets([(query, "{{le}}")], format="heatmap"))
    panel["options"] = {
        "calculate": False,
        "yAxis": {"unit": "short"},
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 32},
        "cellGap": 1,
        "tooltip": {"mode": "single"},
        "legend": {"show": True},
    }
    return panel
