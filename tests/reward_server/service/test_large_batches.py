"""Large batches: another process scores them, and to the client it is all one server."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import httpx
import psutil
import pytest

from reward_server.service.large import LARGE_BYTES, LARGE_COUNT
from tests.reward_server.service.support import (
    CLICK,
    PLAIN,
    SEARCH,
    TERMINATE,
    assert_refused,
    assert_still_scores,
    batch,
    eventually,
    moves,
    rollout,
    sample,
    spawned_by,
)
from tests.servers import Server, running_server

PAGE = "<p>a page</p>" * 10_000
OWN_SPEC = """\
extends = "shop-r1-no-rationale"
name = "mine"
format.weight = 0.25
"""
MANY = [rollout(CLICK, CLICK, id=str(number)) if number % 3 else rollout(id=str(number)) for number in range(3_000)]


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    """A server without keys, of one process until a large batch comes."""
    with running_server(*PLAIN) as running:
        yield running


def pages(count: int = 12) -> dict[str, object]:
    """Rollouts with their pages, over a megabyte in all."""
    labels = [CLICK, SEARCH, TERMINATE]
    rollouts = [rollout(labels[n % 3], CLICK, id=str(n), group="g", prompt=PAGE) for n in range(count)]
    assert len(json.dumps(rollouts)) > LARGE_BYTES
    return batch(*rollouts)


def one_by_one(server: Server, message: dict[str, object]) -> list[object]:
    rollouts = message["rollouts"]
    assert isinstance(rollouts, list)
    return [server.post(json=batch(item)).json()["results"][0] for item in rollouts]


def scoring_process(server: Server) -> psutil.Process:
    """The process for large batches, as soon as there is one."""
    found: list[psutil.Process] = []

    def is_there() -> bool:
        found[:] = spawned_by(server)
        return bool(found)

    eventually(is_there)
    return found[0]


def test_a_large_body_is_scored_as_its_rollouts_are_one_by_one(plain: Server) -> None:
    message = pages()
    response = plain.post(json=message, headers={"X-Run-Id": "large"})
    assert response.status_code == 200
    assert response.json()["results"] == one_by_one(plain, message)
    assert response.headers["etag"] == plain.post(json=batch(rollout())).headers["etag"]
    assert response.headers["content-type"] == "application/json"
    assert scoring_process(plain).is_running()


def test_so_is_a_batch_of_many_small_rollouts(plain: Server) -> None:
    assert len(MANY) > LARGE_COUNT
    assert len(json.dumps(batch(*MANY), separators=(",", ":"))) < LARGE_BYTES
    results = plain.post(json=batch(*MANY)).json()["results"]
    assert [result["id"] for result in results] == [str(number) for number in range(3_000)]
    assert {result["reward"] for result in results[::3]} == {0.8}
    assert {result["terms"]["type"] for result in results} == {0.3}


def test_a_large_body_may_come_in_chunks(plain: Server) -> None:
    body = json.dumps(pages()).encode()
    pieces = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
    assert len(plain.post(content=pieces).json()["rewards"]) == 12


def test_its_rollouts_are_counted_once(plain: Server) -> None:
    with (
        moves(plain, 12, "shop_r1_rollouts_total", spec="shop-r1-no-rationale", reason="valid"),
        moves(plain, 1, "shop_r1_batches_total", dialect="native"),
        moves(plain, 1, "shop_r1_http_requests_total", route="/score", method="POST", status="200"),
    ):
        plain.post(json=pages())


def test_what_is_wrong_with_it_is_told_as_ever(plain: Server) -> None:
    message = pages()
    message["rollouts"][7]["label"] = {"type": "hover"}  # type: ignore[index]
    with moves(plain, 1, "shop_r1_problems_total", problem="bad-label"):
        response = plain.post(json=message)
        assert_refused(response, 422, "bad-label", "/rollouts/7/label/type")
    assert response.headers["etag"]
    assert_refused(plain.post(content=b"[" * 2_000_000), 422, "bad-json", "")


def test_its_spec_and_its_pin_count(plain: Server) -> None:
    digest = plain.get("/specs/binary").json()["digest"]
    response = plain.post("/score?spec=binary&run=a%20run", json=pages(), headers={"If-Match": digest})
    assert response.json()["spec"] == {"name": "binary", "digest": digest}
    assert sample(plain, "shop_r1_run_rollouts_total", run="a run", spec="binary", digest=digest) == 12
    refused = plain.post(json=pages(), headers={"If-Match": digest})
    assert refused.status_code == 412


def test_its_process_serves_nobody_but_the_server(plain: Server) -> None:
    assert plain.post(json=pages()).status_code == 200
    connections = scoring_process(plain).net_connections("tcp")
    (port,) = {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}
    response = httpx.post(f"http://127.0.0.1:{port}/score", json=batch(rollout()), trust_env=False)
    assert_refused(response, 401, "unauthorized", "Authorization:")


def test_a_key_that_is_new_in_the_file_opens_for_it_too(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("old-key")
    with running_server(*PLAIN, REWARD_API_KEYS_FILE=str(file)) as server:
        for key in ("old-key", "new-key"):
            file.write_text(key)
            assert server.post(json=pages(), headers={"Authorization": f"Bearer {key}"}).status_code == 200
            file.write_text("")
            assert server.post(json=pages(), headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_keys_are_checked_before() -> None:
    with running_server(*PLAIN, REWARD_API_KEYS="a-key-of-some-length") as server:
        assert server.post(json=pages()).status_code == 401
        response = server.post(json=pages(), headers={"Authorization": "Bearer a-key-of-some-length"})
        assert len(response.json()["rewards"]) == 12


def test_a_process_that_dies_over_a_batch_is_a_503_and_another_takes_its_place() -> None:
    with running_server(*PLAIN) as server:
        assert server.post(json=pages()).status_code == 200
        body = json.dumps(pages(300)).encode()
        before = scoring_process(server)
        memory = before.memory_info().rss
        connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        connection.putrequest("POST", "/score")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:-100])
        eventually(lambda: before.memory_info().rss > memory + len(body) // 2)
        before.kill()
        connection.send(body[-100:])
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["type"]) == (503, "urn:shop-r1:problem:worker-lost")
        assert answer.headers["retry-after"] == "1"
        assert_still_scores(server)
        assert len(server.post(json=pages()).json()["rewards"]) == 12
        assert scoring_process(server).pid != before.pid


def test_one_that_cannot_be_started_is_a_503_until_it_can() -> None:
    with running_server(*PLAIN) as server:
        assert_still_scores(server)
        process = psutil.Process(server.process.pid)
        _, most = process.rlimit(psutil.RLIMIT_NOFILE)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds(), most))
        answer = server.post(json=pages())
        assert_refused(answer, 503, "worker-lost", "")
        assert answer.headers["retry-after"] == "1"
        process.rlimit(psutil.RLIMIT_NOFILE, (most, most))
        assert len(server.post(json=pages()).json()["rewards"]) == 12


def test_a_client_that_leaves_ends_the_work(plain: Server) -> None:
    connection = HTTPConnection(plain.url.removeprefix("http://"), timeout=60)
    connection.request("POST", "/score", body=json.dumps(pages(300)))
    eventually(lambda: sample(plain, "shop_r1_http_request_bytes_held") > 0)
    connection.close()
    eventually(lambda: sample(plain, "shop_r1_http_request_bytes_held") == 0)
    assert_still_scores(plain)


def test_sigterm_waits_for_it() -> None:
    with running_server(*PLAIN) as server:
        assert server.post(json=pages()).status_code == 200
        body = json.dumps(pages()).encode()
        connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        connection.putrequest("POST", "/score")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:-1])
        eventually(lambda: sample(server, "shop_r1_http_request_bytes_held") == len(body))
        child = scoring_process(server)
        # Both may get it, as from systemd.
        child.terminate()
        server.process.terminate()
        connection.send(body[-1:])
        answer = connection.getresponse()
        assert len(json.loads(answer.read())["rewards"]) == 12
        assert server.process.wait(timeout=60) == 0
        child.wait(timeout=60)


def test_it_ends_with_a_server_that_is_killed() -> None:
    with running_server(*PLAIN) as server:
        assert server.post(json=pages()).status_code == 200
        child = scoring_process(server)
        server.process.kill()
        Thread(target=server.process.wait).start()
        child.wait(timeout=60)


def test_it_scores_by_the_spec_that_was_read_at_the_start(tmp_path: Path) -> None:
    spec = tmp_path / "mine.toml"
    spec.write_text(OWN_SPEC)
    with running_server("--spec", str(spec), "--certainty", "none") as server:
        digest = server.get("/version").json()["spec"]["digest"]
        spec.write_text(OWN_SPEC.replace("0.25", "0.75"))
        answer = server.post(json=pages()).json()
        assert answer["spec"]["digest"] == digest
        assert answer["results"] == one_by_one(server, pages())
