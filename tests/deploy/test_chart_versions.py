"""Versions side by side: each a Deployment and a Service, one route to all of them."""

import re
from typing import Any

import pytest
import yaml

from reward_server.reward.spec import load_preset, preset_names
from tests.deploy.chart import CHART, HelmError, Object, Rendered, ci_file, container, environment, render, selects
from tests.deploy.gateway import send

pytestmark = pytest.mark.e2e

KEYS = {"auth": {"keys": ["known-to-the-test"]}}
ROUTE = {"enabled": True, "parentRefs": [{"name": "inner"}]}


@pytest.fixture
def two() -> Rendered:
    return render(ci_file("versions"))


def test_two_versions_are_two_deployments_two_services_and_one_route(two: Rendered) -> None:
    assert two.names("Deployment") == two.names("Service") == ["shop-r1-v1", "shop-r1-v2"]
    assert two.names("HTTPRoute") == ["shop-r1"]


def test_without_versions_there_is_the_stable_one() -> None:
    assert render().names("Deployment") == ["shop-r1-main"]
    assert render(values={"stable": "first"}).names("Service") == ["shop-r1-first"]


def test_a_service_has_the_pods_of_its_version_only(two: Rendered) -> None:
    for service in two.of("Service"):
        chosen = [
            deployment["metadata"]["name"]
            for deployment in two.of("Deployment")
            if selects(service["spec"]["selector"], deployment["spec"]["template"]["metadata"]["labels"])
        ]
        assert chosen == [service["metadata"]["name"]]


def test_a_deployment_has_its_own_pods_only_and_says_which_version_they_are(two: Rendered) -> None:
    for deployment in two.of("Deployment"):
        name = deployment["metadata"]["name"].removeprefix("shop-r1-")
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert selector["shop-r1.dev/version"] == name
        assert selects(selector, deployment["spec"]["template"]["metadata"]["labels"])


def test_a_service_leads_to_the_port_that_the_server_listens_on(two: Rendered) -> None:
    for service in two.of("Service"):
        (port,) = service["spec"]["ports"]
        server = container(two.one("Deployment", service["metadata"]["name"]), "server")
        assert port["targetPort"] == server["ports"][0]["name"]
        assert environment(server)["REWARD_PORT"] == str(server["ports"][0]["containerPort"])


@pytest.mark.parametrize("version", ["1", "007", "1e5", "true"])
def test_a_version_may_be_named_by_what_yaml_takes_for_something_else(version: str) -> None:
    rendered = render(ci_file("names"))
    sent = send(rendered.one("HTTPRoute"), "/score", {"X-Reward-Version": version})
    assert sent.shares == {f"shop-r1-{version}": 1}
    assert rendered.one("Pod", f"shop-r1-{version}-test")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_run_names_its_version_by_header_or_by_path(two: Rendered, version: str) -> None:
    route = two.one("HTTPRoute")
    assert send(route, "/score", {"X-Reward-Version": version}) == ({f"shop-r1-{version}": 1}, "/score")
    assert send(route, f"/versions/{version}/score") == ({f"shop-r1-{version}": 1}, "/score")
    assert send(route, f"/versions/{version}/specs/binary") == ({f"shop-r1-{version}": 1}, "/specs/binary")


def test_the_rest_goes_to_the_stable_version(two: Rendered) -> None:
    route = two.one("HTTPRoute")
    assert send(route, "/score") == ({"shop-r1-v1": 100}, "/score")
    assert send(route, "/score", {"X-Reward-Version": "v3"}).shares == {"shop-r1-v1": 100}
    assert send(route, "/versions/v10/score") == ({"shop-r1-v1": 100}, "/versions/v10/score"), "where it is a 404"


def test_the_path_wins_over_the_header(two: Rendered) -> None:
    assert send(two.one("HTTPRoute"), "/versions/v2/score", {"X-Reward-Version": "v1"}).shares == {"shop-r1-v2": 1}


def test_a_rewritten_prefix_has_one_match_as_the_gateway_api_demands(two: Rendered) -> None:
    rules = [rule for rule in two.one("HTTPRoute")["spec"]["rules"] if "filters" in rule]
    assert [len(rule["matches"]) for rule in rules] == [1, 1]


def test_every_rule_leads_to_services_that_exist_at_their_port() -> None:
    rendered = render(ci_file("everything"))
    ports = {item["metadata"]["name"]: item["spec"]["ports"][0]["port"] for item in rendered.of("Service")}
    for rule in rendered.one("HTTPRoute")["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            assert ports[backend["name"]] == backend["port"]


def test_no_rule_gives_up_before_the_server_does() -> None:
    rendered = render(ci_file("versions"))
    timeouts = {rule["timeouts"]["request"] for rule in rendered.one("HTTPRoute")["spec"]["rules"]}
    patience = environment(container(rendered.one("Deployment", "shop-r1-v1"), "server"))["REWARD_PATIENCE"]
    (timeout,) = timeouts
    assert int(timeout.removesuffix("s")) > int(patience)


def test_weights_split_only_what_names_no_version() -> None:
    route = render(ci_file("canary")).one("HTTPRoute")
    assert send(route, "/score").shares == {"shop-r1-v1": 95, "shop-r1-v2": 5}
    assert send(route, "/score", {"X-Reward-Version": "v1"}).shares == {"shop-r1-v1": 1}
    assert send(route, "/versions/v1/score").shares == {"shop-r1-v1": 1}


def test_promoting_changes_the_route_and_nothing_else() -> None:
    before, after = (render(ci_file("versions"), values={**KEYS, "stable": name}) for name in ("v1", "v2"))
    changed = [old["kind"] for old, new in zip(before.objects, after.objects, strict=True) if old != new]
    assert changed == ["HTTPRoute"]
    assert send(after.one("HTTPRoute"), "/score").shares == {"shop-r1-v2": 100}
    assert send(after.one("HTTPRoute"), "/versions/v1/score").shares == {"shop-r1-v1": 1}


def test_adding_a_version_leaves_the_others_as_they_are() -> None:
    before = render(ci_file("versions"), values=KEYS)
    after = render(ci_file("versions"), values={**KEYS, "versions": {"v3": {"spec": "binary"}}})
    assert after.names("Deployment") == ["shop-r1-v1", "shop-r1-v2", "shop-r1-v3"]
    for item in before.objects:
        if item["kind"] not in ("HTTPRoute", "Pod"):
            assert after.one(item["kind"], item["metadata"]["name"]) == item


def test_null_removes_a_version() -> None:
    assert render(ci_file("versions"), values={"versions": {"v2": None}}).names("Deployment") == ["shop-r1-v1"]


def test_a_version_s_values_win_over_the_defaults_even_where_they_are_false_or_empty() -> None:
    rendered = render(
        values={
            "settings": {"requirePrompt": True, "rolloutCertainty": True},
            "extraSpecs": ["binary"],
            "stable": "a",
            "versions": {"a": {}, "b": {"settings": {"requirePrompt": False}, "extraSpecs": [], "replicas": 5}},
        }
    )
    first, second = (rendered.one("Deployment", f"shop-r1-{name}") for name in "ab")
    seen = [environment(container(item, "server")) for item in (first, second)]
    assert [item["REWARD_REQUIRE_PROMPT"] for item in seen] == ["true", "false"]
    assert [item["REWARD_ROLLOUT_CERTAINTY"] for item in seen] == ["true", "true"]
    assert [item.get("REWARD_SPECS") for item in seen] == ["binary,shop-r1-no-rationale", None]
    assert [item["spec"]["replicas"] for item in (first, second)] == [2, 5]


def test_a_digest_takes_the_place_of_the_tag() -> None:
    rendered = render(ci_file("canary"))
    images = {item["metadata"]["name"]: container(item, "server")["image"] for item in rendered.of("Deployment")}
    assert images["shop-r1-v1"] == "ghcr.io/shop-r1/reward-server:0.1.0"
    assert images["shop-r1-v2"].startswith("ghcr.io/shop-r1/reward-server@sha256:")


def test_a_version_s_own_tag_and_model_are_not_overruled_by_the_defaults_digest_and_revision() -> None:
    digest = f"sha256:{'9f' * 32}"
    sidecar = {"mode": "sidecar", "image": {"digest": digest}}
    certainty = {"source": "vllm", "model": "large", "revision": "abc"}
    own = {"image": {"tag": "0.2.0"}, "vllm": {"image": {"tag": "0.2.0"}}, "certainty": {"model": "small"}}
    pinned = {"image": {"tag": "0.2.0", "digest": digest}, "certainty": {"model": "small", "revision": "def"}}
    rendered = render(
        values={
            "image": {"digest": digest},
            "vllm": sidecar,
            "certainty": certainty,
            "stable": "a",
            "versions": {"a": {}, "b": own, "c": pinned},
        }
    )
    a, b, c = (rendered.one("Deployment", f"shop-r1-{name}") for name in "abc")
    assert [container(item, "server")["image"].endswith(digest) for item in (a, b, c)] == [True, False, True]
    assert [container(item, "vllm")["image"].endswith(digest) for item in (a, b, c)] == [True, False, True]
    revisions = [environment(container(item, "server")).get("REWARD_CERTAINTY_REVISION") for item in (a, b, c)]
    assert revisions == ["abc", None, "def"]


def test_helm_test_scores_with_every_version_with_its_own_image() -> None:
    rendered = render(ci_file("everything"))
    for deployment in rendered.of("Deployment"):
        name = deployment["metadata"]["name"]
        pod = rendered.one("Pod", f"{name}-test")
        assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
        (item,) = pod["spec"]["containers"]
        assert item["image"] == container(deployment, "server")["image"]
        assert environment(item)["SERVER"] == f"http://{name}.rewards:8080"


def test_helm_finds_the_logs_of_every_test(two: Rendered) -> None:
    # `helm test --logs` asks for a pod's logs once all are done, without a container's name.
    assert two.names("Pod") == ["shop-r1-v1-test", "shop-r1-v2-test"]
    for pod in two.of("Pod"):
        assert pod["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"
        assert len(pod["spec"]["containers"]) == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"stable": "b", "versions": {"a": {}}}, 'stable: there is no version "b"; there are a'),
        (
            {"stable": "a", "versions": {"a": {"weight": 5}}},
            "versions.a.weight: the stable version gets what the others leave; remove its weight",
        ),
        (
            {"stable": "a", "versions": {"a": {}, "b": {"weight": 60}, "c": {"weight": 60}}, "route": ROUTE},
            "their weights are percentages, and add up to 120",
        ),
        ({"route": {"enabled": True}}, "name the Gateway"),
        ({"stable": "v0", "versions": {f"v{i}": {} for i in range(8)}, "route": ROUTE}, "enough for 7 versions"),
        ({"fullnameOverride": "re.wards"}, "begins with a letter and has no dots"),
        ({"fullnameOverride": "1st"}, "begins with a letter and has no dots"),
        ({"nameOverride": "re.wards"}, "begins with a letter and has no dots"),
        ({"vllm": {"mode": "sidecar"}}, "set certainty.source to vllm, not rollout"),
        ({"vllm": {"mode": "external"}}, "certainty.source rollout does not ask the external vLLM"),
        ({"certainty": {"source": "vllm"}}, "certainty.source vllm needs vllm.mode sidecar or external"),
        ({"certainty": {"source": "vllm"}, "vllm": {"mode": "external"}}, "vllm.external.url is missing"),
        (
            {"certainty": {"source": "vllm"}, "vllm": {"mode": "external", "external": {"url": "http://a:b@vllm"}}},
            "vllm.external.url shows a password to all who can read it",
        ),
        (
            {"certainty": {"source": "vllm"}, "vllm": {"mode": "external", "external": {"url": "http://vllm:65536"}}},
            "ports end at 65535, and 65536 is none",
        ),
        ({"certainty": {"source": "vllm"}, "vllm": {"mode": "sidecar"}}, "certainty.model is missing"),
        ({"autoscaling": {"mode": "keda"}}, "autoscaling.prometheusUrl is missing"),
        (
            {"autoscaling": {"mode": "keda", "prometheusUrl": "http://prometheus"}},
            "keda counts by labels that serviceMonitor gives: set serviceMonitor.enabled",
        ),
        ({"spec": "shopr1"}, 'version main: there is no spec "shopr1"; there are binary, customer-r1, opera, shop-r1,'),
        (
            {
                "stable": "a",
                "versions": {"a": {}, "b": {"extraSpecs": ["gentl"]}},
                "specs": {"gentle": 'name = "gentle"'},
            },
            'version b: there is no spec "gentl"',
        ),
        ({"autoscaling": {"mode": "hpa", "cpuUtilization": 0}}, "by hpa needs cpuUtilization or podsMetric"),
        ({"autoscaling": {"mode": "hpa", "podsMetric": True, "inFlight": 0}}, "on requests in flight needs inFlight"),
        ({"autoscaling": {"minReplicas": 9}}, "autoscaling.maxReplicas is below minReplicas"),
        ({"rollingUpdate": {"maxSurge": 0}}, "no pod could be replaced; set maxUnavailable to 1"),
        ({"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "0%"}}, "no pod could be replaced"),
        ({"auth": {"open": True, "existingSecret": "keys"}}, "open serves anyone"),
        ({"auth": {"keys": ["x" * 16], "existingSecret": "keys"}}, "not both"),
        ({"specs": {"mine": 'name = "yours"\n'}}, 'its text has to say name = "mine"'),
        ({"certainty": {"source": "none"}}, 'spec "shop-r1" weighs the rationale\'s certainty'),
        (
            {"certainty": {"source": "none"}, "spec": "binary", "extraSpecs": ["shop-r1-no-dars"]},
            'spec "shop-r1-no-dars" weighs the rationale\'s certainty',
        ),
        ({"stable": "a", "versions": {"a": {}, "b": {"weight": 5}}}, "route.enabled is false"),
        ({"serviceMonitor": {"interval": "5s"}}, "scrapeTimeout (10s) is longer than interval (5s)"),
        ({"extraEnv": [{"name": "A"}, {"name": "A"}]}, "extraEnv: A is there twice"),
        ({"vllm": {"extraEnv": [{"name": "HF_HOME", "value": "/x"}]}}, "vllm.extraEnv: HF_HOME is there twice"),
        ({"extraVolumes": [{"name": "a", "emptyDir": {}}] * 2}, 'two that are called "a"'),
    ],
)
def test_what_cannot_be_right_is_refused_with_a_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmError) as refusal:
        render(values=values)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "owner", "values"),
    [
        ("vllm", "vllm", {"certainty": {"source": "vllm", "model": "small"}, "vllm": {"mode": "sidecar"}}),
        (
            "server",
            None,
            {
                "certainty": {"source": "vllm-logprobs", "model": "small"},
                "vllm": {"mode": "external", "external": {"url": "http://vllm"}},
            },
        ),
    ],
)
def test_what_the_chart_gives_a_container_cannot_be_given_again(
    name: str, owner: str | None, values: dict[str, Any]
) -> None:
    values = {**values, "huggingFace": {"existingSecret": "hugging-face"}}
    given = environment(container(render(values=values).one("Deployment"), name))
    own = [variable for variable in given if not variable.startswith("REWARD_")]
    assert own
    for variable in own:
        extra: Object = {"extraEnv": [{"name": variable, "value": "x"}]}
        again = {**values, owner: {**values[owner], **extra}} if owner else {**values, **extra}
        with pytest.raises(HelmError, match=f"{variable} is there twice, or is the chart's own"):
            render(values=again)


def test_the_presets_are_those_of_the_server() -> None:
    template = (CHART / "templates" / "_versions.tpl").read_text(encoding="utf-8")
    listed = re.search(r'define "shop-r1\.presets" -}}\s*{{- list (.*?) \|', template, re.DOTALL)
    assert listed
    assert sorted(re.findall(r'"(.*?)"', listed[1])) == sorted(preset_names())


def test_the_presets_for_no_certainty_are_those_that_need_none() -> None:
    template = (CHART / "templates" / "_versions.tpl").read_text(encoding="utf-8")
    listed = re.search(r'define "shop-r1\.presetsWithoutCertainty" -}}\s*{{- list (.*?) \|', template)
    assert listed
    without = {name for name in preset_names() if not load_preset(name).needs_certainty}
    assert set(re.findall(r'"(.*?)"', listed[1])) == without


def test_a_version_s_vllm_is_that_of_its_own_tag() -> None:
    sidecar = {"certainty": {"source": "vllm", "model": "small"}, "vllm": {"mode": "sidecar"}}
    versions: dict[str, Object] = {"a": {"image": {"tag": "0.0.1"}}, "b": {}}
    versions["c"] = {"image": {"tag": "0.0.1"}, "vllm": {"image": {"tag": "0.0.2"}}}
    rendered = render(values={**sidecar, "stable": "a", "versions": versions})
    deployments = [rendered.one("Deployment", f"shop-r1-{name}") for name in "abc"]
    tags = [container(item, "vllm")["image"].partition(":")[2] for item in deployments]
    app_version = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
    assert tags == ["0.0.1", app_version, "0.0.2"]


def test_as_many_versions_as_a_route_has_rules_for() -> None:
    seven: dict[str, Object] = {f"v{i}": {} for i in range(7)}
    rules = render(values={"stable": "v0", "versions": seven, "route": ROUTE}).one("HTTPRoute")["spec"]["rules"]
    assert len(rules) == 15


def test_more_versions_where_no_route_has_to_have_rules_for_them() -> None:
    eight: dict[str, Object] = {f"v{i}": {} for i in range(8)}
    assert len(render(values={"stable": "v0", "versions": eight}).of("Service")) == 8
