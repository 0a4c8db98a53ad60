"""Scaling, disruption and monitoring: each chooses the pods and series it means."""

import re

import pytest

from reward_server.service.metrics import Metrics
from tests.deploy.chart import CHART, CI, NAMESPACE, HelmError, Object, Rendered, ci_file, container, render, selects

pytestmark = pytest.mark.e2e

ROOT = CHART.parents[1]


@pytest.fixture(params=CI, ids=lambda file: file.stem)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(request.param)


def scaled(rendered: Rendered, kind: str) -> set[str]:
    return {item["spec"]["scaleTargetRef"]["name"] for item in rendered.of(kind)}


def test_nothing_is_scaled_by_both(rendered: Rendered) -> None:
    assert not scaled(rendered, "HorizontalPodAutoscaler") & scaled(rendered, "ScaledObject")


def test_replicas_are_set_where_nothing_scales_and_only_there(rendered: Rendered) -> None:
    targets = scaled(rendered, "HorizontalPodAutoscaler") | scaled(rendered, "ScaledObject")
    fixed = {item["metadata"]["name"] for item in rendered.of("Deployment") if "replicas" in item["spec"]}
    assert fixed == set(rendered.names("Deployment")) - targets


def test_each_version_may_be_scaled_by_another() -> None:
    everything = render(ci_file("everything"))
    assert scaled(everything, "HorizontalPodAutoscaler") == {"shop-r1-v1"}
    assert scaled(everything, "ScaledObject") == {"shop-r1-v2"}


def test_the_cpu_that_counts_is_the_server_s() -> None:
    rendered = render(ci_file("everything"))
    cpu, in_flight = rendered.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert cpu["containerResource"]["container"] == "server"
    assert "cpu" in container(rendered.one("Deployment", "shop-r1-v1"), "server")["resources"]["requests"]
    # A scrape is a request in flight itself.
    assert in_flight["pods"]["target"]["averageValue"] == str(4 + 1)


def test_an_hpa_counts_requests_only_where_told_that_an_adapter_serves_them() -> None:
    def kinds(**of: int) -> list[str]:
        hpa = render(values={"autoscaling": {"mode": "hpa", **of}}).one("HorizontalPodAutoscaler")
        return [metric["type"] for metric in hpa["spec"]["metrics"]]

    assert kinds() == ["ContainerResource"]
    assert kinds(podsMetric=True) == ["ContainerResource", "Pods"]
    assert kinds(podsMetric=True, cpuUtilization=0) == ["Pods"]


def test_keda_counts_the_requests_in_flight_of_the_version_s_service() -> None:
    rendered = render(ci_file("everything"))
    (trigger,) = rendered.one("ScaledObject")["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    assert f'namespace="{NAMESPACE}"' in query
    assert f'service="{rendered.one("Service", "shop-r1-v2")["metadata"]["name"]}"' in query
    (metric,) = re.findall(r"shop_r1_\w+", query)
    assert metric in {family.name for family in Metrics().registry.collect()}
    # No data is not no load.
    assert trigger["metadata"]["ignoreNullValues"] == "false"


@pytest.mark.parametrize("mode", ["hpa", "keda"])
def test_nothing_scales_to_no_pods(mode: str) -> None:
    with pytest.raises(Exception, match="minReplicas"):
        render(values={"autoscaling": {"mode": mode, "minReplicas": 0, "prometheusUrl": "http://prometheus"}})


def test_each_budget_chooses_the_pods_of_one_version(rendered: Rendered) -> None:
    for budget in rendered.of("PodDisruptionBudget"):
        chosen = [
            item["metadata"]["name"]
            for item in rendered.of("Deployment")
            if selects(budget["spec"]["selector"]["matchLabels"], item["spec"]["template"]["metadata"]["labels"])
        ]
        assert chosen == [budget["metadata"]["name"]]


def test_every_version_has_a_budget_unless_told_otherwise() -> None:
    everything = render(ci_file("everything"))
    assert everything.names("PodDisruptionBudget") == everything.names("Deployment")
    assert render(ci_file("open")).names("PodDisruptionBudget") == []


def test_pods_are_spread_with_those_of_their_version(rendered: Rendered) -> None:
    for deployment in rendered.of("Deployment"):
        template = deployment["spec"]["template"]
        for constraint in template["spec"].get("topologySpreadConstraints", ()):
            assert selects(constraint["labelSelector"]["matchLabels"], template["metadata"]["labels"])


def test_a_rollout_never_has_fewer_pods_than_wanted() -> None:
    strategy = render().one("Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_rollout_without_room_stops_a_pod_first() -> None:
    pair = {"maxSurge": 0, "maxUnavailable": 1}
    assert render(values={"rollingUpdate": pair}).one("Deployment")["spec"]["strategy"]["rollingUpdate"] == pair


def test_the_service_monitor_scrapes_every_version_once() -> None:
    rendered = render(ci_file("everything"))
    monitor = rendered.one("ServiceMonitor")["spec"]
    scraped = [
        item["metadata"]["name"]
        for item in rendered.of("Service")
        if selects(monitor["selector"]["matchLabels"], item["metadata"]["labels"])
    ]
    assert scraped == rendered.names("Service")
    (endpoint,) = monitor["endpoints"]
    assert endpoint["path"] == "/metrics"
    assert endpoint["port"] in {port["name"] for port in rendered.of("Service")[0]["spec"]["ports"]}


def test_series_say_which_version_they_are_of() -> None:
    rendered = render(ci_file("everything"))
    (relabeling,) = rendered.one("ServiceMonitor")["spec"]["endpoints"][0]["relabelings"]
    label = "shop-r1.dev/version"
    assert all(label in item["metadata"]["labels"] for item in rendered.of("Service"))
    # Prometheus writes an underscore for whatever a label's name cannot have.
    assert relabeling["sourceLabels"] == ["__meta_kubernetes_service_label_" + re.sub(r"\W", "_", label)]
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "reward_server/service").glob("*metrics.py"))
    assert '"version"' in sources, "the server has such a label itself"
    assert f'"{relabeling["targetLabel"]}"' not in sources


def test_a_shared_claim_is_made_where_asked_for_and_mounted() -> None:
    rendered = render(ci_file("sidecar"))
    claim = rendered.one("PersistentVolumeClaim")
    volumes = rendered.one("Deployment")["spec"]["template"]["spec"]["volumes"]
    (cache,) = [volume for volume in volumes if volume["name"] == "model-cache"]
    assert cache["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "100Gi"


@pytest.mark.parametrize("own", [{"size": "1Gi"}, {"storageClass": "fast"}, {"accessModes": ["ReadWriteOnce"]}])
def test_a_version_cannot_describe_the_claim_anew(own: Object) -> None:
    with pytest.raises(HelmError, match="all versions share one claim"):
        render(ci_file("sidecar"), values={"versions": {"main": {}, "other": {"vllm": {"cache": own}}}})


def test_a_version_without_the_claim_may_limit_its_pods_own_cache() -> None:
    own = {"vllm": {"cache": {"create": False, "size": "7Gi"}}}
    rendered = render(ci_file("sidecar"), values={"versions": {"main": {}, "other": own}})
    volumes = rendered.one("Deployment", "shop-r1-other")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "model-cache", "emptyDir": {"sizeLimit": "7Gi"}} in volumes


def test_an_existing_claim_is_mounted_and_none_is_made() -> None:
    rendered = render(ci_file("sidecar"), values={"vllm": {"cache": {"existingClaim": "weights"}}})
    assert rendered.of("PersistentVolumeClaim") == []
    assert "'claimName': 'weights'" in str(rendered.one("Deployment"))
