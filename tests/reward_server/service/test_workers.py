"""Several processes on one port: to clients and to Prometheus they are one server."""

import os
import signal
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.reward_server.service.support import (
    PLAIN,
    assert_still_scores,
    batch,
    eventually,
    failed_start,
    half_sent,
    rollout,
    sample,
    score,
    spawned_by,
)
from tests.servers import Server, running_server


@pytest.fixture(scope="module")
def three() -> Iterator[Server]:
    """A server of three processes, all up."""
    with running_server(*PLAIN, "--workers", "3") as running:
        eventually(lambda: len(workers(running)) == 3)
        yield running


def workers(server: Server) -> list[psutil.Process]:
    """The processes that accept connections."""
    return spawned_by(server)


def with_new_connections(server: Server, count: int) -> None:
    for _ in range(count):
        response = httpx.post(f"{server.url}/score", json=batch(rollout()), timeout=60)
        assert response.json()["rewards"] == [0.8]


def test_what_all_of_them_scored_is_counted_together(three: Server) -> None:
    labels = {"spec": "shop-r1-no-rationale", "reason": "valid"}
    before = sample(three, "shop_r1_rollouts_total", **labels)
    with_new_connections(three, 30)
    for _ in range(5):
        assert sample(three, "shop_r1_rollouts_total", **labels) == before + 30
    assert sample(three, "shop_r1_ready") == 1
    assert sample(three, "shop_r1_build_info", version="0.1.0") == 1


def test_their_memory_is_counted_together(three: Server) -> None:
    least = sum(worker.memory_info().rss for worker in workers(three)) / 2
    assert sample(three, "process_resident_memory_bytes") > least


def test_one_that_is_killed_is_replaced_and_nothing_it_counted_is_lost(three: Server) -> None:
    labels = {"spec": "shop-r1-no-rationale", "reason": "valid"}
    before = sample(three, "shop_r1_rollouts_total", **labels)
    victim = workers(three)[0]
    victim.kill()
    eventually(lambda: len(workers(three)) == 3 and victim not in workers(three))
    three.client.close()
    three.client = httpx.Client(base_url=three.url, timeout=60)
    with_new_connections(three, 20)
    assert sample(three, "shop_r1_rollouts_total", **labels) == before + 20
    assert_still_scores(three)


def test_sigterm_ends_them_all_and_what_they_have_begun_is_finished() -> None:
    with running_server(*PLAIN, "--workers", "2") as server:
        eventually(lambda: len(workers(server)) == 2)
        children = workers(server)
        with half_sent(server, b'{"rollouts": []}') as finish:
            server.process.terminate()
            assert finish().status == 200
        assert server.process.wait(timeout=60) == 0
        for child in children:
            child.wait(timeout=60)


def test_sigterm_to_all_processes_at_once_lets_them_finish_as_well() -> None:
    """As systemd sends it, and `timeout`."""
    with running_server(*PLAIN, "--workers", "2") as server:
        eventually(lambda: len(workers(server)) == 2)
        with half_sent(server, b'{"rollouts": []}') as finish:
            for process in (*workers(server), psutil.Process(server.process.pid)):
                process.terminate()
            assert finish().status == 200
        assert server.process.wait(timeout=60) == 0


def test_they_end_with_a_supervisor_that_is_killed() -> None:
    with running_server(*PLAIN, "--workers", "2") as server:
        eventually(lambda: len(workers(server)) == 2)
        children = workers(server)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(timeout=60)
        for child in children:
            child.wait(timeout=60)


def test_each_has_a_process_of_its_own_for_large_batches() -> None:
    with running_server(*PLAIN, "--workers", "2") as server:
        score(server, *[rollout()] * 3_000)
        assert sample(server, "shop_r1_rollouts_total", spec="shop-r1-no-rationale", reason="valid") == 3_000


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (("--workers", "2", "--certainty", "none"), 2, "shop-r1 weighs the rationale's certainty"),
        (("--workers", "2", "--certainty", "local"), 2, "each would load the model"),
        (("--workers", "0"), 2, "workers"),
        (("--workers", "2", "--certainty", "none", "--spec", "nowhere.toml"), 2, "nowhere.toml"),
    ],
)
def test_what_cannot_start_says_so_once(flags: tuple[str, ...], status: int, words: str) -> None:
    ended, said = failed_start("--port", "0", *flags)
    assert ended == status
    assert said.count(words) == 1, said


def test_a_port_in_use_is_told(three: Server) -> None:
    ended, said = failed_start(*PLAIN, "--workers", "2", "--port", three.url.rpartition(":")[2])
    assert ended == 1
    assert "address already in use" in said.lower()
