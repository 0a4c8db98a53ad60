"""The whole dashboard: variables, rows of panels, alerts as annotations."""

import json
from itertools import count

from k8s.dashboard.panels import SOURCE, Json
from k8s.dashboard.queries import PODS, SPEC
from k8s.dashboard.rows import ROWS

WIDTH = 24


def variable(name: str, label: str, query: str) -> Json:
    """A choice of label values, all of them at first; `.*` also holds where nothing sets the label."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def variables() -> list[Json]:
    """What the dashboard can be narrowed to."""
    job = 'namespace=~"$namespace", job=~"$job"'
    return [
        {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "refresh": 1},
        variable("namespace", "Namespace", "label_values(shop_r1_build_info, namespace)"),
        variable("job", "Job", 'label_values(shop_r1_build_info{namespace=~"$namespace"}, job)'),
        variable("version", "Version", f"label_values(shop_r1_build_info{{{job}}}, reward_version)"),
        variable("spec", "Spec", f"label_values(shop_r1_spec_info{{{PODS}}}, spec)"),
        variable("run", "Run", f"label_values(shop_r1_run_rollouts_total{{{SPEC}}}, run)"),
    ]


def panels() -> list[Json]:
    """Rows and panels, laid out from left to right and numbered."""
    ids, placed, y = count(1), [], 0
    for title, row in ROWS.items():
        placed.append({"type": "row", "title": title, "collapsed": False, "panels": [], "id": next(ids)})
        placed[-1]["gridPos"] = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        y += 1
        x = height = 0
        for panel in row():
            size = panel["gridPos"]
            if x + size["w"] > WIDTH:
                x, y = 0, y + height
            placed.append({**panel, "id": next(ids), "gridPos": {**size, "x": x, "y": y}})
            x, height = x + size["w"], size["h"]
        y += height
    return placed


def dashboard() -> Json:
    """The whole dashboard."""
    return {
        "uid": "shop-r1",
        "title": "Shop-R1 reward server",
        "tags": ["shop-r1", "grpo"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables()},
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "enable": True,
                    "datasource": SOURCE,
                    "iconColor": "red",
                    "expr": 'ALERTS{alertname=~"ShopR1.*", alertstate="firing", namespace=~"$namespace"}',
                    "titleFormat": "{{alertname}}",
                    "textFormat": "{{reward_version}} {{spec}} {{run}}",
                }
            ]
        },
        "links": [
            {
                "type": "link",
                "title": "Runbooks",
                "url": "https://github.com/shop-r1/shop-r1/blob/main/docs/runbooks.md",
                "targetBlank": True,
            }
        ],
        "panels": panels(),
    }


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"
