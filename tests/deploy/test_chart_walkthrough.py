"""The documents tell one story: what operate.md installs is what recipes, manifests and commands elsewhere ask for."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.deploy.chart import CHART, Rendered, render
from tests.deploy.test_chart_network import namespaces, policy_of

pytestmark = pytest.mark.e2e

K8S = CHART.parent
OPERATE = (K8S.parent / "docs" / "operate.md").read_text(encoding="utf-8")
README = (CHART / "README.md").read_text(encoding="utf-8")
RUNBOOKS = (K8S.parent / "docs" / "runbooks.md").read_text(encoding="utf-8")
RAY = {name: (K8S / name).read_text(encoding="utf-8") for name in ("rayjob.yaml", "raycluster.yaml")}


def values() -> Any:
    """rewards.yaml, as operate.md writes it."""
    found = re.search(r"```yaml\n(# rewards\.yaml\n.*?)```", OPERATE, re.DOTALL)
    assert found
    return yaml.safe_load(found[1])


@pytest.fixture
def installed() -> Rendered:
    return render(values=values())


def test_the_recipe_calls_a_service_that_is_installed(installed: Rendered) -> None:
    recipes = yaml.safe_load((K8S / "recipe.yaml").read_text(encoding="utf-8"))["data"]
    url = urlsplit(yaml.safe_load(recipes["recipe.yaml"])["server"]["url"])
    (service,) = installed.of("Service")
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert url.hostname == f"{name}.{namespace}.svc.cluster.local"
    assert url.port == service["spec"]["ports"][0]["port"]


@pytest.mark.parametrize("name", RAY)
def test_the_trainer_s_namespace_is_one_that_is_let_in(installed: Rendered, name: str) -> None:
    commands = [line for line in RAY[name].splitlines() if line.startswith("#") and "kubectl" in line]
    named = {found[1] for line in commands if (found := re.search(r"kubectl -n (\S+)", line))}
    assert named == {"training"}
    assert [line for line in commands if "kubectl -n" not in line and "create namespace" not in line] == []
    assert "training" in namespaces(policy_of(installed, "v1"))


def test_promoting_a_canary_with_a_weight_is_told_to_begin_with_the_weight() -> None:
    promote = OPERATE[OPERATE.index("**Promote.**") : OPERATE.index("**Roll back.**")]
    assert promote.index("`weight`") < promote.index("helm upgrade")


@pytest.mark.parametrize("document", [OPERATE, README], ids=["operate", "README"])
def test_what_is_tested_has_been_waited_for(document: str) -> None:
    commands = [line for line in document.splitlines() if line.startswith("$ helm")]
    tests = [index for index, line in enumerate(commands) if line.startswith("$ helm test")]
    assert tests
    assert [commands[index - 1] for index in tests if "--wait" not in commands[index - 1]] == []


def test_no_runbook_asks_for_what_may_be_missing_in_one_breath_with_what_is_there() -> None:
    # kubectl shows nothing at all where it does not know one of the kinds.
    kinds = re.findall(r"kubectl .*?get (\S+)", RUNBOOKS)
    assert kinds
    assert [found for found in kinds if "," in found and "scaledobject" in found] == []
