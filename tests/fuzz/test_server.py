"""A live server through whatever callers do, in any order: it always answers, never with a 5xx, and counts rightly."""

import json
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlencode

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from prometheus_client.parser import text_string_to_metric_families

from tests.fuzz.amount import EXAMPLES
from tests.fuzz.rollouts import MOST_ROLLOUTS, NATIVE, OPENRLHF, SCORERS, SPECS, Message, offline
from tests.servers import Server, running_server

pytestmark = pytest.mark.e2e

KEYS = ("one", "zwei")
MOST_BYTES = 1_000_000
FLAGS = ("--max-rollouts", str(MOST_ROLLOUTS), "--max-body-bytes", str(MOST_BYTES))
_MOST_GROWTH = 64 * 2**20
"""Bytes that a server may have more in use after all that than before: its metrics have a bounded number of series."""

_COUNTED = ("shop_r1_batches_total", "shop_r1_rollouts_total", "shop_r1_problems_total", "shop_r1_run_rollouts_total")

Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server with keys and small limits."""
    with running_server(*FLAGS, REWARD_API_KEYS=",".join(KEYS)) as running:
        yield running


def sample(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


class Callers(RuleBasedStateMachine):
    """What callers do, and what the server's counters have to say of it."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.expected = self.counted()
        self.unfinished: list[tuple[HTTPConnection, Message, bytes]] = []

    def counted(self) -> Counter[Sample]:
        families = text_string_to_metric_families(self.server.get("/metrics").text)
        return Counter(
            {
                sample(found.name, **found.labels): int(found.value)
                for family in families
                for found in family.samples
                if found.name in _COUNTED and found.value
            }
        )

    def post(self, body: bytes, query: str = "", **headers: str) -> httpx.Response:
        return self.server.post(f"/score?{query}", content=body, headers={"Authorization": "Bearer one", **headers})

    def check(self, response: httpx.Response, kind: str) -> None:
        """Check that a request was refused, and why; note that it has to be counted."""
        assert response.json()["type"] == f"urn:shop-r1:problem:{kind}"
        assert 400 <= response.status_code < 500
        self.expected[sample("shop_r1_problems_total", problem=kind)] += 1

    def check_scored(self, status: int, content: bytes, message: Message, spec: str, run: str = "") -> None:
        """Compare an answer with the scorer's in this process."""
        scorer = SCORERS[spec]
        kind, scored, answer = offline(message, scorer)
        if kind:
            self.check(httpx.Response(status, content=content), kind)
            return
        assert status == 200, content[:500]
        assert content == answer
        dialect = "native" if "rollouts" in message else "openrlhf"
        self.expected[sample("shop_r1_batches_total", dialect=dialect)] += 1
        for item in scored:
            reason = item.card.reason or "valid"
            self.expected[sample("shop_r1_rollouts_total", spec=spec, reason=reason)] += 1
            if run:
                labels = {"run": run, "spec": spec, "digest": scorer.spec.digest}
                self.expected[sample("shop_r1_run_rollouts_total", **labels)] += 1

    @rule(
        message=NATIVE | OPENRLHF,
        spec=st.sampled_from(SPECS),
        run=st.sampled_from(["", "a", "märz", 'quo"te\\ \n']),
        by_url=st.booleans(),
        pinned=st.booleans(),
        key=st.sampled_from(KEYS),
    )
    def score(self, message: Message, spec: str, run: str, by_url: bool, pinned: bool, key: str) -> None:
        query, headers = {"spec": spec}, {}
        digest = SCORERS[spec].spec.digest
        if pinned and by_url:
            query["digest"] = digest
        elif pinned:
            headers["If-Match"] = f'"{digest}"'
        if run and (by_url or not run.isascii() or "\n" in run):
            query["run"] = run
        elif run:
            headers["X-Run-Id"] = run
        body = json.dumps(message).encode()
        response = self.post(body, urlencode(query), Authorization=f"Bearer {key}", **headers)
        assert response.headers["ETag"] == f'"{digest}"'
        self.check_scored(response.status_code, response.content, message, spec, run)

    @rule(message=NATIVE | OPENRLHF, body=st.binary(max_size=50))
    def refuse(self, message: Message, body: bytes) -> None:
        good = json.dumps(message).encode()
        self.check(self.post(b"{{" + body), "bad-json")
        self.check(self.post(b"[]"), "bad-request")
        self.check(self.post(good, "digets=x"), "bad-request")
        self.check(self.post(good, "spec=nope"), "unknown-spec")
        self.check(self.post(good, "digest=sha256:0"), "another-spec")
        self.check(self.post(good, Authorization="Bearer three"), "unauthorized")
        self.check(self.post(json.dumps({"rollouts": [0] * (MOST_ROLLOUTS + 1)}).encode()), "over-limit")
        self.check(self.post(b" " * (MOST_BYTES + 1)), "body-too-large")

    @rule(message=NATIVE | OPENRLHF, part=st.floats(0, 1, exclude_max=True))
    def begin(self, message: Message, part: float) -> None:
        """Send a request's head and some of its body."""
        body = json.dumps(message).encode()
        connection = HTTPConnection(self.server.url.removeprefix("http://"), timeout=60)
        connection.putrequest("POST", "/score?spec=binary")
        connection.putheader("Authorization", "Bearer zwei")
        connection.putheader("Content-Length", str(len(body)))
        sent = int(part * len(body))
        connection.endheaders(body[:sent] or None)
        self.unfinished.append((connection, message, body[sent:]))

    @precondition(lambda self: self.unfinished)
    @rule()
    def finish(self) -> None:
        connection, message, rest = self.unfinished.pop()
        connection.send(rest)
        with connection.getresponse() as response:
            self.check_scored(response.status, response.read(), message, "binary")
        connection.close()

    @precondition(lambda self: self.unfinished)
    @rule()
    def leave(self) -> None:
        self.unfinished.pop()[0].close()

    @rule(path=st.sampled_from(["/healthz", "/readyz", "/version", "/specs", "/specs/binary", "/openapi.json"]))
    def look(self, path: str) -> None:
        assert self.server.get(path, headers={"Authorization": "Bearer one"}).status_code == 200

    @invariant()
    def answers_and_counts_rightly(self) -> None:
        assert self.server.get("/healthz").status_code == 200
        assert self.counted() == self.expected

    def teardown(self) -> None:
        for connection, _, _ in self.unfinished:
            connection.close()


def memory(server: Server) -> int:
    process = psutil.Process(server.process.pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))


def run(server: Server, examples: int) -> None:
    Callers.server = server
    run_state_machine_as_test(
        Callers,
        settings=settings(
            max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_whatever_callers_do_the_server_scores_counts_and_does_not_grow(guarded: Server) -> None:
    run(guarded, 2)
    before = memory(guarded)
    run(guarded, EXAMPLES)
    assert memory(guarded) - before < _MOST_GROWTH


def test_several_processes_score_and_count_as_one() -> None:
    with running_server(*FLAGS, "--workers", "2", REWARD_API_KEYS=",".join(KEYS)) as several:
        run(several, EXAMPLES // 4)
