"""The proxy of the swap goes by a route as a Gateway would, and refuses routes that it would get wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.deploy.chart import Object, ci_file, container, render
from tests.deploy.gateway import send
from tests.deploy.proxy import Proxy, running_proxy
from tests.deploy.proxy_rules import NotUnderstood, Pod, rules
from tests.reward_server.service.support import eventually

pytestmark = pytest.mark.e2e

HOSTLESS: dict[str, Any] = {"route": {"hostnames": []}}
PROBE = {"httpGet": {"path": "/readyz"}, "periodSeconds": 1, "timeoutSeconds": 30, "failureThreshold": 3}


class Echo(ThreadingHTTPServer):
    """A server that says who it is, and which path it sees; ready until told otherwise."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _EchoHandler)
        self.name = name
        self.ready = True

    def handle_error(self, *args: object) -> None:
        """A health check hangs up as soon as it knows."""

    @property
    def pod(self) -> Pod:
        return Pod(self.name, f"127.0.0.1:{self.server_port}")


class _EchoHandler(BaseHTTPRequestHandler):
    server: Echo

    def do_GET(self) -> None:
        self.send_response(200 if self.server.ready or self.path != "/readyz" else 503)
        self.end_headers()
        self.wfile.write(f"{self.server.name} {self.path}".encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def echoes(*names: str) -> Iterator[list[Echo]]:
    with ExitStack() as stack:
        servers = [stack.enter_context(Echo(name)) for name in names]
        for server in servers:
            Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        yield servers


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with running_proxy(tmp_path) as running:
        yield running


@pytest.fixture
def route() -> Object:
    return render(ci_file("versions"), values=HOSTLESS).one("HTTPRoute")


def pods_of(servers: Sequence[Echo]) -> Mapping[str, Sequence[Pod]]:
    return {server.name: [server.pod] for server in servers}


@pytest.mark.parametrize("stable", ["v1", "v2"])
def test_every_request_goes_where_the_route_sends_it(stable: str, proxy: Proxy) -> None:
    route = render(ci_file("versions"), values={**HOSTLESS, "stable": stable}).one("HTTPRoute")
    paths = ("/", "/score", "/versions", "/versions/v1", "/versions/v1/", "/versions/v2/score", "/versions/v2/specs/x")
    headers: list[dict[str, str]] = [{}, *({"x-reward-version": name} for name in ("v1", "v2", "v3", "V1"))]
    with echoes("shop-r1-v1", "shop-r1-v2") as servers, httpx.Client() as client:
        proxy.load(rules(route, pods_of(servers), PROBE))
        for path in (*paths, "/versions/v10/score"):
            for given in headers:
                goal = send(route, path, given)
                seen = client.get(f"{proxy.url}{path}?digest=a", headers=given).text
                assert seen == f"{next(iter(goal.shares))} {goal.path}?digest=a", (path, given)


def test_the_chart_s_own_probe_takes_an_unready_pod_out_and_in_again(route: Object, proxy: Proxy) -> None:
    probe = container(render().one("Deployment"), "server")["readinessProbe"]
    with echoes("one", "two") as servers, httpx.Client() as client:
        pods = {"shop-r1-v1": [server.pod for server in servers], "shop-r1-v2": [servers[0].pod]}
        proxy.load(rules(route, pods, probe | {"periodSeconds": 1}))

        def answering() -> set[str]:
            return {client.get(f"{proxy.url}/score").text.split()[0] for _ in range(4)}

        assert answering() == {"one", "two"}
        servers[0].ready = False
        eventually(lambda: answering() == {"two"})
        assert client.get(f"{proxy.url}/versions/v2/score").status_code == 503, "of its Service none is ready"
        servers[0].ready = True
        eventually(lambda: answering() == {"one", "two"})


def test_it_sees_the_end_of_every_request(route: Object, proxy: Proxy) -> None:
    with echoes("shop-r1-v1") as servers:
        proxy.load(rules(route, {**pods_of(servers), "shop-r1-v2": []}, PROBE))
        for path in ("/score", "/versions/v2/score"):
            httpx.get(f"{proxy.url}{path}")
    eventually(lambda: len(proxy.requests) == 2)
    assert [(each.status, each.pod) for each in proxy.requests] == [(200, "shop-r1-v1"), (503, "<NOSRV>")]
    assert proxy.requests[0].ended == "--" != proxy.requests[1].ended


def _of(route: Object) -> dict[str, Any]:
    """A rule with a path, which every one of these changes spoils."""
    found: dict[str, Any] = route["spec"]["rules"][0]
    return found


@pytest.mark.parametrize(
    "spoil",
    [
        lambda route: route["spec"].update(hostnames=["rewards.example.internal"]),
        lambda route: _of(route).update(sessionPersistence={}),
        lambda route: _of(route)["matches"][0].update(method="POST"),
        lambda route: _of(route)["matches"][0]["path"].update(type="Exact"),
        lambda route: _of(route)["matches"][0]["path"].update(value="/versions/v1 /"),
        lambda route: _of(route)["matches"][0].update(
            headers=[{"name": "X", "value": ".*", "type": "RegularExpression"}]
        ),
        lambda route: _of(route)["matches"].append({"path": {"type": "PathPrefix", "value": "/other"}}),
        lambda route: _of(route)["filters"].append({"type": "RequestMirror", "requestMirror": {}}),
        lambda route: _of(route)["filters"][0]["urlRewrite"].update(hostname="other"),
        lambda route: _of(route)["filters"][0]["urlRewrite"]["path"].update(type="ReplaceFullPath"),
        lambda route: _of(route)["backendRefs"].append({"name": "shop-r1-v2", "port": 8080}),
        lambda route: _of(route)["backendRefs"][0].update(name="nobody"),
        lambda route: _of(route)["backendRefs"][0].update(weight=0),
        lambda route: _of(route)["timeouts"].update(backendRequest="1s"),
        lambda route: _of(route)["timeouts"].update(request="0s"),
    ],
)
def test_what_it_cannot_do_is_refused(spoil: Callable[[Object], None], route: Object) -> None:
    pods = {name: [Pod("pod", "127.0.0.1:1")] for name in ("shop-r1-v1", "shop-r1-v2")}
    assert rules(route, pods, PROBE)
    spoil(route)
    with pytest.raises(NotUnderstood):
        rules(route, pods, PROBE)
