"""NOTES.txt, which helm prints after an installation: what it says is there is there."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.chart import CHART, NAMESPACE, RELEASE, ci_file, helm, render

pytestmark = pytest.mark.e2e

# `helm template` renders no notes: they become a ConfigMap of a copy.
WRAPPED = """{{ define "notes" }}%s{{ end }}
apiVersion: v1
kind: ConfigMap
data:
  text: |
    {{ include "notes" . | nindent 4 }}
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    chart = Path(shutil.copytree(CHART, tmp_path / "chart"))
    text = (chart / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    (chart / "templates" / "notes.yaml").write_text(WRAPPED % text, encoding="utf-8")
    return chart


def notes(chart: Path, values: dict[str, Any]) -> str:
    flags = ("--namespace", NAMESPACE, "--show-only", "templates/notes.yaml", "--values", "-")
    return str(yaml.safe_load(helm("template", RELEASE, chart, *flags, stdin=yaml.safe_dump(values)))["data"]["text"])


def test_every_address_is_that_of_a_service(copy: Path) -> None:
    values = yaml.safe_load(ci_file("versions").read_text(encoding="utf-8"))
    told = re.findall(r"http://(\S+?)\.rewards:(\d+)/score", notes(copy, values))
    services = render(ci_file("versions")).of("Service")
    assert told == [(item["metadata"]["name"], str(item["spec"]["ports"][0]["port"])) for item in services]


def test_weights_are_spoken_of_where_there_are_any(copy: Path) -> None:
    values = yaml.safe_load(ci_file("canary").read_text(encoding="utf-8"))
    assert "v2 gets 5 %" in notes(copy, values)
    assert " % " not in notes(copy, {**values, "versions": {"v1": {}, "v2": {}}})


def test_the_key_is_looked_up_where_it_is(copy: Path) -> None:
    assert "jsonpath='{.data.api-keys}'" in notes(copy, {})
    assert r"jsonpath='{.data.keys\.csv}'" in notes(copy, {"auth": {"secretKey": "keys.csv"}})
