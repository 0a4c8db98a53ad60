"""Values: all described, all known to the schema, and whatever is misspelt is refused."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.chart_readme import CHART, readme, values
from reward_server.settings import Settings
from tests.deploy.chart import CI, HelmError, Object, helm, render

pytestmark = pytest.mark.e2e

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
DEFAULTS = (CHART / "values.yaml").read_text(encoding="utf-8")

# Whose keys are the user's own to choose, and checked by a pattern instead.
OPEN = {"specs", "versions", "commonLabels", "nodeSelector", "podAnnotations"}
OPEN |= {"labels", "annotations", "matchLabels", "requests", "limits"}

# Settings that other values decide.
DECIDED = {
    "host",
    "port",
    "spec",
    "specs",
    "certainty",
    "certainty_model",
    "certainty_revision",
    "vllm_url",
    "vllm_api_key",
    "api_keys",
    "api_keys_file",
    "tls_cert",
    "tls_key",
    "tls_key_password",
    "tls_client_ca",
    "open",
    "drain_seconds",
    "shutdown_seconds",
}

Place = tuple[str | int, ...]


def levels(tree: object, path: Place = ()) -> Iterator[Place]:
    """Every place where a mapping is."""
    if isinstance(tree, dict):
        yield path
        for key, child in tree.items():
            yield from levels(child, (*path, key))
    if isinstance(tree, list):
        for index, child in enumerate(tree):
            yield from levels(child, (*path, index))


def is_open(path: Place) -> bool:
    return bool(path) and path[-1] in OPEN


def with_key(tree: Any, path: Place, key: str) -> Any:
    """A copy of the tree with one more key at a place."""
    copy = json.loads(json.dumps(tree))
    place = copy
    for step in path:
        place = place[step]
    place[key] = "1"
    return copy


def refusal(tree: Object) -> str:
    try:
        render(values=tree)
    except HelmError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("file", [CHART / "values.yaml", *CI], ids=lambda file: file.stem)
def test_a_typo_at_any_level_is_refused(file: Path) -> None:
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    closed = [path for path in levels(tree) if not is_open(path)]
    assert closed
    assert [path for path in closed if "tpyo" not in refusal(with_key(tree, path, "tpyo"))] == []


@pytest.mark.parametrize("file", [CHART / "values.yaml", *CI], ids=lambda file: file.stem)
def test_a_key_that_cannot_be_is_refused_even_where_keys_are_free(file: Path) -> None:
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    free = [path for path in levels(tree) if is_open(path)]
    assert [path for path in free if "no such key!" not in refusal(with_key(tree, path, "no such key!"))] == []


def test_the_schema_closes_every_object_with_keys_of_its_own() -> None:
    for path in levels(SCHEMA):
        part: Any = SCHEMA
        for step in path:
            part = part[step]
        if path and path[-1] in ("properties", "definitions"):
            continue
        if part.get("type") == "object" and path != ("properties", "global"):
            assert part.get("additionalProperties") is False or "propertyNames" in part, path


def test_the_schema_knows_no_value_that_the_chart_does_not_have() -> None:
    defaults = yaml.safe_load(DEFAULTS)
    assert SCHEMA["properties"].keys() - {"global"} == defaults.keys()
    for name, part in SCHEMA["properties"].items():
        definition = SCHEMA["definitions"].get(part.get("$ref", "").removeprefix("#/definitions/"), part)
        known = definition.get("properties", {}).keys()
        if name not in ("settings", "resources", "affinity"):
            assert known == (defaults[name].keys() if known else set()), name


def test_a_version_may_set_what_values_say_it_may() -> None:
    described = next(value.description for value in values(DEFAULTS) if value.path == "versions")
    listed = re.search(r"A version may set (.*); and weight", described)
    assert listed
    names = set(re.findall(r"\w+", listed[1])) - {"and"}
    assert SCHEMA["definitions"]["version"]["properties"].keys() == names | {"weight"}


def test_a_version_is_laid_over_every_default_that_it_may_set() -> None:
    template = (CHART / "templates" / "_versions.tpl").read_text(encoding="utf-8")
    picked = re.search(r"pick \.Values (.*?) -}}", template, re.DOTALL)
    assert picked
    names = set(re.findall(r'"(\w+)"', picked[1]))
    assert SCHEMA["definitions"]["version"]["properties"].keys() == names | {"weight"}


def test_settings_are_those_of_the_server_that_nothing_else_decides() -> None:
    known = SCHEMA["definitions"]["settings"]["properties"]
    snake = {re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", name) for name in known}
    assert snake == Settings.model_fields.keys() - DECIDED


def test_every_value_is_described_in_a_readme_that_is_up_to_date() -> None:
    assert readme() == (CHART / "README.md").read_text(encoding="utf-8"), "run python k8s/chart_readme.py"


def test_a_value_that_nobody_describes_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"no comment describes image\.tag"):
        list(values("image:\n  # -- Where.\n  registry: here\n\n  tag: x\n"))


@pytest.mark.parametrize(
    "tree",
    [
        {"replicas": 0},
        {"replicas": "2"},
        {"image": {"tag": "not a tag"}},
        {"image": {"digest": "sha256:123"}},
        {"certainty": {"source": "local"}},
        {"settings": {"patience": 0}},
        {"settings": {"logLevel": "loud"}},
        {"settings": {"metrics": "closed"}},
        {"auth": {"keys": ["short"]}},
        {"auth": {"keys": ["two-keys-in-one,are-two-keys"]}},
        {"vllm": {"external": {"url": "vllm:8000"}}},
        {"vllm": {"args": ["max-model-len=1"]}},
        {"vllm": {"args": ["--max-model-len 32768"]}},
        {"vllm": {"args": ["--host=0.0.0.0"]}},
        {"vllm": {"args": ["--port=9000"]}},
        {"vllm": {"args": ["--api-key=secret"]}},
        {"vllm": {"args": ["--api_key"]}},
        {"vllm": {"args": ["--revision=main"]}},
        {"vllm": {"args": ["--model=other"]}},
        {"extraEnv": [{"name": "REWARD_API_KEYS", "value": "a-key-in-the-clear"}]},
        {"extraEnv": [{"name": "reward_open", "value": "true"}]},
        {"extraVolumes": [{"name": "a", "emptyDir": {}}], "extraVolumeMounts": [{"name": "a", "mountPath": "/tmp"}]},
        {"image": {"repository": "two lines\n"}},
        {"topologySpread": {"keys": ["zone\n      hostNetwork: true"]}},
        {"serviceMonitor": {"interval": "30s1m"}},
        {"serviceMonitor": {"scrapeTimeout": "0s"}},
        {"versions": {"Upper": {}}},
        {"versions": {"a-name-that-is-too-long": {}}},
        {"service": {"port": 0}},
        {"podDisruptionBudget": {"maxUnavailable": "some"}},
        {"podDisruptionBudget": {"maxUnavailable": 0}},
        {"podDisruptionBudget": {"maxUnavailable": "0%"}},
        {"resources": {"limits": {"cpus": 1}}},
        {"networkPolicy": {"clients": [{}]}},
        {"networkPolicy": {"vllmPort": 65536}},
        {"commonLabels": {"app.kubernetes.io/name": "ours"}},
        {"commonLabels": {"app.kubernetes.io/component": "ours"}},
        {"commonLabels": {"shop-r1.dev/version": "ours"}},
        {"commonLabels": {"team": "two words"}},
        {"commonLabels": {"team": "x" * 64}},
        {"serviceMonitor": {"labels": {"app.kubernetes.io/instance": "ours"}}},
        {"networkPolicy": {"extraEgress": [{"ports": [{"port": "65536"}]}]}},
    ],
    ids=str,
)
def test_a_value_that_cannot_be_is_refused(tree: Object) -> None:
    assert "schema" in refusal(tree)


@pytest.mark.parametrize("access", ["off", "key"])
def test_metrics_that_prometheus_could_not_see_are_refused(access: str) -> None:
    tree = {"settings": {"metrics": access}, "serviceMonitor": {"enabled": True}}
    assert f"settings.metrics is {access}" in refusal(tree)
    assert refusal({"settings": {"metrics": access}}) == ""


@pytest.mark.parametrize("name", ["metrics", "docs"])
def test_a_key_is_not_asked_for_where_there_is_none(name: str) -> None:
    assert "auth.open leaves none" in refusal({"settings": {name: "key"}, "auth": {"open": True}})


def test_the_chart_can_be_part_of_another(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text(
        f"apiVersion: v2\nname: parent\nversion: 0.1.0\ndependencies:\n"
        f"  - {{name: shop-r1, version: '*', repository: 'file://{CHART}'}}\n",
        encoding="utf-8",
    )
    (tmp_path / "values.yaml").write_text("global: {team: rewards}\nshop-r1: {replicas: 3}\n", encoding="utf-8")
    helm("dependency", "build", tmp_path)
    assert "replicas: 3" in helm("template", "parent", tmp_path)
