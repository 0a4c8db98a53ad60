"""What the tests of the service share: rollouts, refusals, metrics, half-sent requests and starts that must fail."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from time import monotonic, sleep
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.commands import REWARD_SERVER, run
from tests.servers import Server

Action = dict[str, Any]

CLICK: Action = {"type": "click", "name": "add_to_cart.buy_now"}
SEARCH: Action = {"type": "type_and_submit", "name": "search_input", "text": "wireless gaming mouse"}
TERMINATE: Action = {"type": "terminate"}

PLAIN = ("--spec", "shop-r1-no-rationale", "--certainty", "none")
"""Flags of a server that needs no certainty."""


def said(action: object, rationale: object = "I like it.") -> str:
    """A model's completion."""
    return json.dumps({"rationale": rationale, "action": action})


def rollout(action: object = TERMINATE, label: object = TERMINATE, **fields: object) -> dict[str, Any]:
    """A rollout whose model predicted `action`."""
    return {"completion": said(action), "label": label, **fields}


def batch(*rollouts: object) -> dict[str, Any]:
    """The native request."""
    return {"rollouts": list(rollouts)}


def assert_refused(response: httpx.Response, status: int, kind: str, pointer: str) -> dict[str, Any]:
    """Check that an answer is a whole problem+json of this status, kind and pointer; its body."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["type"], body["status"], body["pointer"]) == (f"urn:shop-r1:problem:{kind}", status, pointer)
    assert body["errors"][0] == {"pointer": pointer, "detail": body["detail"]}
    assert body["title"]
    assert body["detail"]
    return body


def assert_still_scores(server: Server) -> None:
    """The good request after a bad one: 0.5 for the form and 0.3 for the type."""
    response = server.post(json=batch(rollout()))
    assert response.status_code == 200, response.text[:500]
    assert response.json()["rewards"] == [0.8]


def sample(server: Server, name: str, **labels: str) -> float:
    """The value of one metric sample; 0 while there is none."""
    values = [
        found.value
        for family in text_string_to_metric_families(server.get("/metrics").text)
        for found in family.samples
        if found.name == name and found.labels == labels
    ]
    assert len(values) < 2, f"{name}{labels} is there twice"
    return values[0] if values else 0.0


@contextmanager
def moves(server: Server, by: float, name: str, **labels: str) -> Iterator[None]:
    """Check that a sample rises by so much inside the block."""
    before = sample(server, name, **labels)
    yield
    assert sample(server, name, **labels) - before == pytest.approx(by), f"{name}{labels}"


def score(server: Server, *rollouts: object, path: str = "/score", **headers: str) -> None:
    """Score a batch, whose rewards do not matter."""
    response = server.post(path, json=batch(*rollouts), headers=headers)
    assert response.status_code == 200, response.text


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what must come, however slow the machine."""
    give_up = monotonic() + 60
    while not condition():
        assert monotonic() < give_up, "it never came"
        sleep(0.01)


def spawned_by(server: Server) -> list[psutil.Process]:
    """The server processes that a server has started, those left out that have ended."""
    found = []
    for child in psutil.Process(server.process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


@contextmanager
def half_sent(server: Server, body: bytes) -> Iterator[Callable[..., HTTPResponse]]:
    """A `POST /score` that the server has begun to read; call what this yields to send the rest and get the answer.

    `sends_rest=False` only gets the answer.
    """
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    before = sample(server, "shop_r1_http_requests_in_flight")
    connection.putrequest("POST", "/score")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:10])

    def finish(*, sends_rest: bool = True) -> HTTPResponse:
        if sends_rest:
            connection.send(body[10:])
        return connection.getresponse()

    try:
        eventually(lambda: sample(server, "shop_r1_http_requests_in_flight") == before + 1)
        yield finish
    finally:
        connection.close()


def status_before_the_body(server: Server, **headers: str) -> int:
    """The status of a `POST /score` of which only the head is sent."""
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    try:
        connection.putrequest("POST", "/score")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def failed_start(*flags: str, **environment: str) -> tuple[int, str]:
    """Exit status and message, on one line, of a server that does not come up."""
    ended = run(REWARD_SERVER, "serve", *flags, **environment)
    assert "Traceback" not in ended.stderr
    plain = re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", ended.stderr)
    return ended.returncode, " ".join(plain.split())
