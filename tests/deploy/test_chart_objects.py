"""Whatever values are set, what comes out is what Kubernetes and the operators take."""

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from reward_server import __version__
from tests.deploy.chart import CHART, CI, NAMESPACE, RELEASE, HelmError, Object, Rendered, helm, render

pytestmark = pytest.mark.e2e

CRDS = Path(__file__).parent / "crds"
OLDEST, NEWEST = "1.30", "1.37"


@pytest.fixture(params=CI, ids=lambda file: file.stem)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(request.param)


def check(item: Object) -> None:
    """Raise where a schema refuses the object, or knows fewer fields than it has."""
    schema = CRDS / f"{item['kind'].lower()}.yaml"
    if schema.exists():
        jsonschema.validate(item, yaml.safe_load(schema.read_text(encoding="utf-8")))
        return
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_helm_lints_strictly(file: Path) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "--values", file)


def test_every_object_is_valid(rendered: Rendered) -> None:
    for item in rendered.objects:
        check(item)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("Deployment", lambda item: item["spec"].update(replica=1)),
        ("Service", lambda item: item["spec"]["ports"][0].update(port="http")),
        ("HTTPRoute", lambda item: item["spec"]["rules"][0].update(backend=[])),
        ("ServiceMonitor", lambda item: item["spec"]["endpoints"][0].update(interval="15")),
        ("PrometheusRule", lambda item: item["spec"]["groups"][0]["rules"][0].pop("expr")),
        ("ScaledObject", lambda item: item["spec"]["triggers"][0]["metadata"].update(threshold=4)),
    ],
)
def test_a_spoilt_object_is_noticed(kind: str, spoil: Any) -> None:
    item = render(CHART / "ci" / "everything-values.yaml").of(kind)[0]
    spoil(item)
    with pytest.raises(jsonschema.ValidationError):
        check(item)


def test_no_two_objects_have_the_same_name(rendered: Rendered) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in rendered.objects]
    assert len(names) == len(set(names))


def test_every_object_says_where_it_belongs(rendered: Rendered) -> None:
    for item in rendered.objects:
        assert item["metadata"]["namespace"] == NAMESPACE
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE


def test_names_fit_however_long_the_release_s_is() -> None:
    long = "a-release-with-the-longest-name-that-helm-will-take"
    version = "has-twenty-letters-x"
    for item in render(values={"stable": version, "versions": {version: {}}}, release=long).objects:
        assert len(item["metadata"]["name"]) <= 63


def test_a_release_that_begins_with_a_digit_needs_another_name() -> None:
    with pytest.raises(HelmError, match="fullnameOverride"):
        render(release="2nd")
    assert render(values={"fullnameOverride": "second"}, release="2nd").names("Service") == ["second-main"]


def test_the_chart_is_of_the_package_s_version() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"] == __version__


def test_everything_has_every_kind() -> None:
    templates = "".join(file.read_text(encoding="utf-8") for file in (CHART / "templates").rglob("*.yaml"))
    kinds = {line.removeprefix("kind: ") for line in templates.splitlines() if line.startswith("kind: ")}
    assert {item["kind"] for item in render(CHART / "ci" / "everything-values.yaml").objects} == kinds


def test_alerts_and_dashboard_are_the_files_to_the_letter() -> None:
    rendered = render(CHART / "ci" / "everything-values.yaml")
    alerts = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text(encoding="utf-8"))
    assert rendered.one("PrometheusRule")["spec"] == alerts
    dashboard = (CHART / "files" / "dashboard.json").read_text(encoding="utf-8")
    assert rendered.one("ConfigMap", "shop-r1-dashboard")["data"]["shop-r1.json"].strip() == dashboard.strip()
