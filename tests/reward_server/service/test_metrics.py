"""`/metrics`: every metric moves with what it counts, and no client or model can make it grow without end."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reward_server import __version__
from tests.reward_server.service.support import (
    CLICK,
    SEARCH,
    TERMINATE,
    batch,
    eventually,
    half_sent,
    moves,
    rollout,
    said,
    sample,
    score,
)
from tests.servers import Server, running_server

SPEC = "shop-r1-no-rationale"


@pytest.fixture(scope="module")
def measured() -> Iterator[Server]:
    """A server whose metrics only these tests move; it scores with and without certainty."""
    with running_server("--spec", SPEC) as running:
        yield running


def series(server: Server, name: str, label: str) -> set[str]:
    """The values of one label of one sample."""
    families = text_string_to_metric_families(server.get("/metrics").text)
    return {found.labels[label] for family in families for found in family.samples if found.name == name}


def test_the_answer_is_prometheus_text_and_every_metric_is_explained(measured: Server) -> None:
    response = measured.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(response.text))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation and family.type != "unknown" for family in families)


def test_version_and_specs_are_published_with_their_digests(measured: Server) -> None:
    assert sample(measured, "shop_r1_build_info", version=__version__) == 1
    for spec in measured.get("/specs").json()["specs"]:
        labels = {"spec": spec["name"], "digest": spec["digest"], "default": str(spec["name"] == SPEC).lower()}
        assert sample(measured, "shop_r1_spec_info", **labels) == 1


def test_a_listening_server_is_ready(measured: Server) -> None:
    assert measured.get("/readyz").status_code == 200
    assert sample(measured, "shop_r1_ready") == 1


def test_what_alerts_count_is_there_before_it_happens() -> None:
    """Prometheus sees no increase in a series that begins with the first failure."""
    with running_server() as fresh:
        begun = fresh.get("/metrics").text
    for failure in (
        *(f'http_requests_total{{method="POST",route="{route}",status="503"' for route in ("/score", "/get_reward")),
        'http_requests_total{method="POST",route="/score",status="500"',
        'groups_total{spec="shop-r1",variance="zero"',
        *(
            f'certainty_failures_total{{problem="certainty-{how}",source="rollout"'
            for how in ("unavailable", "mismatch", "failed")
        ),
        'certainty_without_context_total{source="rollout"',
    ):
        assert f"\nshop_r1_{failure}}} 0.0\n" in begun, failure


@pytest.mark.parametrize(
    ("method", "path", "body", "route", "status"),
    [
        ("POST", "/score", b'{"rollouts": []}', "/score", "200"),
        ("POST", "/score?spec=binary", b"", "/score", "422"),
        ("POST", "/get_reward?spec=nope", b"", "/get_reward", "404"),
        ("GET", "/specs/binary", b"", "/specs/{name}", "200"),
        ("GET", "/specs/nope", b"", "/specs/{name}", "404"),
        ("PUT", "/score", b"", "/score", "405"),
        ("GET", "/healthz", b"", "/healthz", "200"),
        ("GET", "/no/such/route", b"", "none", "404"),
    ],
)
def test_requests_are_counted_and_timed_by_route_method_and_status(
    measured: Server, method: str, path: str, body: bytes, route: str, status: str
) -> None:
    requests = moves(measured, 1, "shop_r1_http_requests_total", route=route, method=method, status=status)
    timed = moves(measured, 1, "shop_r1_http_request_duration_seconds_count", route=route)
    with requests, timed:
        measured.client.request(method, path, content=body)


def test_a_request_that_is_not_yet_answered_is_in_flight(measured: Server) -> None:
    name = "shop_r1_http_requests_in_flight"
    assert sample(measured, name) == 1, "the request for the metrics itself"
    with half_sent(measured, b'{"rollouts": []}') as finish:
        assert sample(measured, name) == 2
        assert finish().status == 200
    eventually(lambda: sample(measured, name) == 1)


@pytest.mark.parametrize(
    ("path", "body", "headers", "problem"),
    [
        ("/score", b"", {}, "bad-json"),
        ("/score", b"[]", {}, "bad-request"),
        ("/score", b'{"rollouts": [{"completion": "", "label": {}}]}', {}, "bad-label"),
        ("/score?spec=nope", b"", {}, "unknown-spec"),
        ("/score", b"", {"If-Match": "x"}, "another-spec"),
        ("/nope", b"", {}, "not-found"),
        ("/metrics", b"", {}, "method-not-allowed"),
    ],
)
def test_refused_requests_are_counted_by_problem(
    measured: Server, path: str, body: bytes, headers: dict[str, str], problem: str
) -> None:
    with moves(measured, 1, "shop_r1_problems_total", problem=problem):
        measured.post(path, content=body, headers=headers)


def test_batches_are_counted_by_dialect(measured: Server) -> None:
    with moves(measured, 1, "shop_r1_batches_total", dialect="native"):
        score(measured, rollout(), rollout())
    with moves(measured, 1, "shop_r1_batches_total", dialect="openrlhf"):
        measured.post(json={"query": ["x", "y"], "prompts": ["", ""], "labels": [TERMINATE, TERMINATE]})


@pytest.mark.parametrize(
    ("completion", "reason"),
    [(said(TERMINATE), "valid"), ("", "empty"), ("nonsense", "not_json"), ("{}", "wrong_keys")],
)
def test_rollouts_are_counted_by_why_they_are_invalid(measured: Server, completion: str, reason: str) -> None:
    with moves(measured, 3, "shop_r1_rollouts_total", spec=SPEC, reason=reason):
        score(measured, *[{"completion": completion, "label": CLICK}] * 3)


@pytest.mark.parametrize(
    ("completion", "predicted"),
    [(said(CLICK), "click"), (said(TERMINATE), "terminate"), (said({"type": "hover"}), "unknown"), ("x", "invalid")],
)
def test_predictions_are_counted_by_label_and_predicted_type(measured: Server, completion: str, predicted: str) -> None:
    with moves(measured, 2, "shop_r1_predictions_total", spec=SPEC, label_type="click", predicted_type=predicted):
        score(measured, *[{"completion": completion, "label": CLICK}] * 2)


def test_exact_matches_are_counted_by_label_type(measured: Server) -> None:
    matches = moves(measured, 1, "shop_r1_exact_matches_total", spec=SPEC, label_type="type_and_submit")
    with matches, moves(measured, 0, "shop_r1_exact_matches_total", spec=SPEC, label_type="click"):
        score(measured, rollout(SEARCH, SEARCH), rollout({**SEARCH, "text": "mouse"}, SEARCH), rollout(SEARCH, CLICK))


@pytest.mark.parametrize(
    ("term", "at_most", "above"),
    [("format", "0.5", "0.3"), ("type", "0.3", "0.2"), ("attribute", "0.2", "0.1"), ("value", "1000.0", "999.0")],
)
def test_each_term_of_each_rollout_falls_into_its_bucket(measured: Server, term: str, at_most: str, above: str) -> None:
    """Of the two rollouts one earns 0.5 + 0.3 + 0.2 + 1000, the other nothing."""

    def bucket(by: float, bound: str) -> AbstractContextManager[None]:
        return moves(measured, by, "shop_r1_term_bucket", spec=SPEC, term=term, le=bound)

    with bucket(1, "0.0"), bucket(1, above), bucket(2, at_most), bucket(2, "+Inf"):
        score(measured, rollout(CLICK, CLICK), {"completion": "x", "label": CLICK})


def test_the_mean_of_a_term_can_be_told(measured: Server) -> None:
    counted = moves(measured, 2, "shop_r1_term_count", spec=SPEC, term="value")
    with counted, moves(measured, 1000, "shop_r1_term_sum", spec=SPEC, term="value"):
        score(measured, rollout(CLICK, CLICK), rollout(TERMINATE, CLICK))


def test_the_certainty_term_is_observed_where_it_is_scored(measured: Server) -> None:
    """α × ln 4 = 0.0069 falls between 0 and 0.01."""
    sure = rollout(certainty={"vocab_size": 4, "top_logprobs": [[0]]})
    labels = {"spec": "shop-r1", "term": "certainty"}
    at_most, above = (
        moves(measured, by, "shop_r1_term_bucket", le=bound, **labels) for by, bound in ((1, "0.01"), (0, "0.0"))
    )
    with at_most, above:
        score(measured, sure, path="/score?spec=shop-r1")


def test_scores_are_observed(measured: Server) -> None:
    counted = moves(measured, 3, "shop_r1_score_count", spec=SPEC)
    with counted, moves(measured, 1 + 0.5 / 1001, "shop_r1_score_sum", spec=SPEC):
        score(measured, rollout(CLICK, CLICK), rollout(TERMINATE, CLICK), {"completion": "x", "label": CLICK})


@pytest.mark.parametrize("name", ["grpo-7", 'quotes " and \\ and é'])
def test_rollouts_are_counted_by_run_and_spec(measured: Server, name: str) -> None:
    digest = measured.get("/specs/binary").json()["digest"]
    with moves(measured, 3, "shop_r1_run_rollouts_total", run=name, spec="binary", digest=digest):
        measured.post("/score", params={"spec": "binary", "run": name}, json=batch(rollout(), rollout(), rollout()))


def test_the_runs_header_wins_over_the_query(measured: Server) -> None:
    digest = measured.get(f"/specs/{SPEC}").json()["digest"]
    with moves(measured, 1, "shop_r1_run_rollouts_total", run="by-header", spec=SPEC, digest=digest):
        score(measured, rollout(), path="/score?run=by-query", **{"X-Run-Id": "by-header"})
    assert "by-query" not in series(measured, "shop_r1_run_rollouts_total", "run")


def grows(server: Server, repeat: Callable[[int], object]) -> int:
    """How many samples `/metrics` gains when something is done 1000 times over."""
    repeat(-1)
    before = server.get("/metrics").text.count("\n")
    for number in range(1000):
        repeat(number)
    return server.get("/metrics").text.count("\n") - before


def test_a_model_that_invents_a_thousand_types_adds_no_series(measured: Server) -> None:
    def invent(number: int) -> None:
        score(measured, rollout({"type": f"hover-{number}", "name": f"n{number}"}, CLICK))

    assert grows(measured, invent) == 0
    assert series(measured, "shop_r1_predictions_total", "predicted_type") <= {
        "click",
        "type_and_submit",
        "terminate",
        "unknown",
        "invalid",
    }


def test_a_client_that_asks_for_a_thousand_routes_and_specs_adds_no_series(measured: Server) -> None:
    def ask(number: int) -> None:
        assert measured.get(f"/route-{number}").status_code == 404
        assert measured.get(f"/specs/spec-{number}").status_code == 404

    assert grows(measured, ask) == 0


def test_a_thousand_runs_share_a_bounded_number_of_series(measured: Server) -> None:
    def run(number: int) -> None:
        score(measured, rollout(), **{"X-Run-Id": f"run-{number}"})

    assert grows(measured, run) <= 101
    runs = series(measured, "shop_r1_run_rollouts_total", "run")
    assert 10 < len(runs) <= 101
    digest = measured.get(f"/specs/{SPEC}").json()["digest"]
    assert sample(measured, "shop_r1_run_rollouts_total", run="other", spec=SPEC, digest=digest) >= 900
    with moves(measured, 1, "shop_r1_run_rollouts_total", run="run-0", spec=SPEC, digest=digest):
        run(0)


def test_specs_that_differ_in_their_name_alone_are_counted_apart(tmp_path: Path) -> None:
    twin = tmp_path / "twin.toml"
    twin.write_text(f'extends = "{SPEC}"\nname = "twin"')
    with running_server("--spec", SPEC, "--specs", str(twin), "--certainty", "none") as server:
        content = json.dumps(batch(rollout())).encode()
        request = f"Host: a\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60) as connection:
            for _ in range(9):
                for path in (b"/score", b"/score?spec=twin"):
                    connection.sendall(b"POST " + path + b" HTTP/1.1\r\n" + request)
            counted = partial(sample, server, "shop_r1_rollouts_total", reason="valid")
            eventually(lambda: (counted(spec=SPEC), counted(spec="twin")) == (9, 9))
