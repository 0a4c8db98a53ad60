"""NetworkPolicies let in and out what the values make use of, and no more."""

from typing import Any

import pytest

from tests.deploy.chart import NAMESPACE, Object, Rendered, ci_file, container, render, selects

pytestmark = pytest.mark.e2e

DNS = {("UDP", 53), ("TCP", 53), ("UDP", 5353), ("TCP", 5353)}


def policy_of(rendered: Rendered, version: str) -> Object:
    return rendered.one("NetworkPolicy", f"shop-r1-{version}")


def let_in(policy: Object) -> list[tuple[set[Any], list[Object]]]:
    """Ports and peers of each ingress rule."""
    rules = policy["spec"].get("ingress", [])
    return [({port["port"] for port in rule["ports"]}, rule["from"]) for rule in rules]


def let_out(policy: Object) -> set[tuple[str, int]]:
    return {(port["protocol"], port["port"]) for rule in policy["spec"]["egress"] for port in rule["ports"]}


def namespaces(policy: Object) -> set[str]:
    ((_, peers),) = let_in(policy)
    labels = [peer.get("namespaceSelector", {}).get("matchLabels", {}) for peer in peers]
    return {found["kubernetes.io/metadata.name"] for found in labels if found}


def test_each_version_s_policy_has_its_pods() -> None:
    rendered = render(ci_file("everything"))
    assert rendered.names("NetworkPolicy") == rendered.names("Deployment")
    for policy in rendered.of("NetworkPolicy"):
        pods = rendered.one("Deployment", policy["metadata"]["name"])["spec"]["template"]["metadata"]["labels"]
        assert selects(policy["spec"]["podSelector"]["matchLabels"], pods)
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_the_ports_let_in_are_those_that_the_containers_have() -> None:
    rendered = render(ci_file("everything"))
    for policy in rendered.of("NetworkPolicy"):
        server = container(rendered.one("Deployment", policy["metadata"]["name"]), "server")
        ((ports, _),) = let_in(policy)
        assert ports == {port["name"] for port in server["ports"]}


def test_by_default_the_namespace_may_score() -> None:
    ((_, peers),) = let_in(policy_of(render(), "main"))
    assert {"podSelector": {}} in peers
    assert namespaces(policy_of(render(), "main")) == set()


def test_helm_test_gets_in_where_other_pods_of_the_namespace_do_not() -> None:
    rendered = render(ci_file("everything"))
    ((_, peers),) = let_in(policy_of(rendered, "v1"))
    here = [peer["podSelector"]["matchLabels"] for peer in peers if "namespaceSelector" not in peer]
    (allowed,) = here
    for pod in rendered.of("Pod"):
        assert selects(allowed, pod["metadata"]["labels"])
    for deployment in rendered.of("Deployment"):
        assert not selects(allowed, deployment["spec"]["template"]["metadata"]["labels"])


def test_no_policy_holds_the_pod_of_helm_test() -> None:
    rendered = render(ci_file("everything"))
    for policy in rendered.of("NetworkPolicy"):
        chosen = policy["spec"]["podSelector"]["matchLabels"]
        assert not [pod for pod in rendered.of("Pod") if selects(chosen, pod["metadata"]["labels"])]


def test_prometheus_and_the_gateway_get_in_where_they_are_used() -> None:
    assert namespaces(policy_of(render(ci_file("keda")), "main")) == {"monitoring"}
    assert namespaces(policy_of(render(ci_file("versions")), "v1")) == {"gateways"}
    assert namespaces(policy_of(render(ci_file("canary")), "v1")) == {NAMESPACE}, "where a Gateway without one is"
    everything = namespaces(policy_of(render(ci_file("everything")), "v1"))
    assert everything == {"training", "monitoring", "envoy-gateway-system"}


def test_an_empty_list_lets_nobody_in() -> None:
    rendered = render(values={"networkPolicy": {"clients": []}, "tests": {"enabled": False}})
    policy = policy_of(rendered, "main")
    assert let_in(policy) == []
    assert "Ingress" in policy["spec"]["policyTypes"]


def test_nothing_but_names_is_asked_of_the_network_where_certainty_needs_nothing() -> None:
    assert let_out(policy_of(render(), "main")) == DNS


def test_weights_may_be_downloaded_unless_told_otherwise() -> None:
    assert let_out(policy_of(render(ci_file("sidecar")), "main")) == DNS | {("TCP", 443)}
    offline = render(ci_file("sidecar"), values={"networkPolicy": {"allowDownloads": False}})
    assert let_out(policy_of(offline, "main")) == DNS


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://vllm.models.svc.cluster.local:8001", 8001),
        ("http://vllm", 80),
        ("https://vllm.example.internal/v1", 443),
        ("http://[fd00::1]:9000", 9000),
        ("http://[fd00::1]", 80),
    ],
)
def test_an_external_vllm_is_reached_at_its_port(url: str, port: int) -> None:
    values = {"vllm": {"mode": "external", "external": {"url": url}}, "certainty": {"source": "vllm"}}
    assert let_out(policy_of(render(values=values), "main")) == DNS | {("TCP", port)}


def test_an_external_vllm_s_pods_may_listen_on_another_port_than_its_service() -> None:
    rendered = render(ci_file("external-vllm"), values={"networkPolicy": {"vllmPort": 8000, "allowDownloads": False}})
    assert let_out(policy_of(rendered, "main")) == DNS | {("TCP", 8000)}


def test_an_external_vllm_can_be_narrowed_down() -> None:
    policy = policy_of(render(ci_file("external-vllm")), "main")
    (rule,) = [rule for rule in policy["spec"]["egress"] if rule["ports"][0]["port"] == 8001]
    assert rule["to"][0]["podSelector"] == {"matchLabels": {"app": "vllm"}}


def test_further_rules_let_in_what_a_mesh_needs() -> None:
    ztunnel = {"ports": [{"port": 15008}]}
    rules = render(values={"networkPolicy": {"extraIngress": [ztunnel]}}).one("NetworkPolicy")["spec"]["ingress"]
    assert rules[1:] == [ztunnel]
