"""Text stays text: what YAML would take for a number or a boolean, and what could end a line."""

from collections.abc import Iterator

import pytest
import yaml

from tests.deploy.chart import CHART, Object, ci_file, container, environment, helm, render

pytestmark = pytest.mark.e2e

TEXT = {"name", "namespace", "key", "serviceAccountName", "image", "claimName", "runtimeClassName", "priorityClassName"}
MAPS_OF_TEXT = {"labels", "matchLabels", "annotations", "nodeSelector"}


def texts(tree: object) -> Iterator[object]:
    """Whatever Kubernetes wants to be a string, and whose value comes from the user."""
    if isinstance(tree, dict):
        for key, child in tree.items():
            if key in MAPS_OF_TEXT and isinstance(child, dict):
                yield from child.values()
            elif key in TEXT and not isinstance(child, dict | list):
                yield child
            yield from texts(child)
    if isinstance(tree, list):
        for child in tree:
            yield from texts(child)


def test_names_that_look_like_numbers_or_booleans_stay_names() -> None:
    names = {"fullnameOverride": "on", "serviceAccount.name": "1", "auth.secretKey": "1", "priorityClassName": "yes"}
    options = [option for name, value in names.items() for option in ("--set-string", f"{name}={value}")]
    file = ("--values", ci_file("everything"))
    text = helm("template", "2026", CHART, "--namespace", "1e3", *file, *options)
    objects: list[Object] = [item for item in yaml.safe_load_all(text) if item]
    assert {item["metadata"]["namespace"] for item in objects} == {"1e3"}
    assert [value for value in texts(objects) if not isinstance(value, str)] == []


def test_labels_of_one_object_win_over_those_of_all() -> None:
    labels = {"commonLabels": {"release": "ours"}, "serviceMonitor": {"enabled": True, "labels": {"release": "theirs"}}}
    rendered = render(values=labels)
    assert rendered.one("ServiceMonitor")["metadata"]["labels"]["release"] == "theirs"
    assert rendered.one("Service")["metadata"]["labels"]["release"] == "ours"


def test_a_version_takes_away_what_it_does_not_want_of_the_defaults() -> None:
    gpu = {"nodeSelector": {"pool": "gpu", "zone": "a"}, "podAnnotations": {"a": "1"}, "stable": "v1"}
    own = {"nodeSelector": {"pool": None}, "podAnnotations": {"a": None}, "resources": {"limits": {"memory": None}}}
    rendered = render(values={**gpu, "versions": {"v1": own, "v2": {}}})
    mine, other = (rendered.one("Deployment", f"shop-r1-{name}")["spec"]["template"] for name in ("v1", "v2"))
    assert (mine["spec"]["nodeSelector"], other["spec"]["nodeSelector"]) == ({"zone": "a"}, gpu["nodeSelector"])
    assert "a" not in mine["metadata"]["annotations"]
    assert other["metadata"]["annotations"]["a"] == "1"
    limits = [pod["spec"]["containers"][0]["resources"]["limits"] for pod in (mine, other)]
    assert limits == [{}, {"memory": "5Gi"}]


def test_a_setting_is_the_server_s_own_unless_it_is_given() -> None:
    def variables(**settings: int | None) -> Object:
        return environment(container(render(values={"settings": settings}).one("Deployment"), "server"))

    assert variables(maxRollouts=9)["REWARD_MAX_ROLLOUTS"] == "9"
    assert "REWARD_MAX_ROLLOUTS" not in variables(maxRollouts=None)


@pytest.mark.parametrize("empty", ["versions", "specs", "extraSpecs", "extraEnv", "extraVolumes"])
def test_a_value_whose_lines_are_all_commented_out_is_an_empty_one(empty: str) -> None:
    keys = {"auth": {"keys": ["known-to-the-test"]}}
    assert render(values={empty: None, **keys}).objects == render(values=keys).objects


def test_networks_whose_lines_are_all_commented_out_let_nobody_in() -> None:
    closed = render(values={"networkPolicy": {"clients": None}, "tests": {"enabled": False}})
    assert "ingress" not in closed.one("NetworkPolicy")["spec"]
