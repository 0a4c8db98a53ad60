"""The dashboard as Grafana reads it: its panels, and its queries with the variables filled in."""

import json
import re
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "k8s" / "chart" / "files" / "dashboard.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]

QUERIES: dict[str, str] = {
    f"{panel['title']} {target['refId']}, panel {panel['id']}": target["expr"]
    for panel in PANELS
    for target in panel["targets"]
}


def filled_in(text: str, interval: str = "5m") -> str:
    """A query as Grafana sends it while everything is chosen, over a time and step of `interval`."""
    text = text.replace("$__rate_interval", interval).replace("$__range", interval)
    for variable in VARIABLES:
        text = re.sub(rf"\${variable['name']}\b", variable.get("allValue", ""), text)
    assert "$" not in text, text
    return text


def selector_of(variable: dict[str, Any]) -> tuple[str, str]:
    """Which series a variable's values are read from, and which of their labels."""
    found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
    assert found is not None
    return filled_in(found[1]), found[2]
