"""The client without an event loop: the same rewards and errors, from threads, forks and other processes."""

import asyncio
import multiprocessing
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import SimpleQueue

import pytest

from reward_server.client import ClientOptions, RewardError, RewardRefused, RewardUnavailable, SyncRewardClient
from tests.reward_server.certainty.faulty_vllm import hang, status
from tests.reward_server.client.faulty_server import SCORE, FaultyServer, running_faulty_server
from tests.reward_server.client.support import LONG, RIGHT, WRONG, right, wrong
from tests.reward_server.service.support import eventually
from tests.servers import Server


@pytest.fixture
def client(server: Server) -> Iterator[SyncRewardClient]:
    with SyncRewardClient(ClientOptions(server.url, patience=LONG)) as running:
        yield running


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with running_faulty_server() as running:
        yield running


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "reward-client"]


def test_rewards_are_had_without_an_event_loop(client: SyncRewardClient) -> None:
    assert client.score([right(), wrong()]).rewards == [RIGHT, WRONG]


def test_threads_share_a_client_and_each_gets_its_own_rewards(client: SyncRewardClient) -> None:
    with ThreadPoolExecutor(16) as pool:
        batches = [[right(number)] if number % 3 else [wrong(number)] for number in range(200)]
        answers = list(pool.map(client.score, batches))
    assert [answer.rewards for answer in answers] == [[RIGHT] if number % 3 else [WRONG] for number in range(200)]
    assert len(threads()) == 1


def test_a_running_event_loop_is_no_hindrance(client: SyncRewardClient) -> None:
    async def within() -> list[float]:
        return client.score([right()]).rewards

    assert asyncio.run(within()) == [RIGHT]


def test_a_closed_client_has_no_thread_and_starts_another(client: SyncRewardClient) -> None:
    for _ in range(2):
        assert client.score([right()]).rewards == [RIGHT]
        client.close()
        assert threads() == []


def in_child(client: SyncRewardClient, answers: "SimpleQueue[list[float]]") -> None:
    with client:
        answers.put(client.score([right(), wrong()]).rewards)


@pytest.mark.parametrize("is_used", [True, False], ids=["used", "unused"])
def test_a_forked_process_has_rewards_as_its_parent_has(client: SyncRewardClient, is_used: bool) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    if is_used:
        client.score([right()])
    children = [context.Process(target=in_child, args=(client, answers)) for _ in range(3)]
    with client._lock:  # as another thread may have it at that time
        for child in children:
            child.start()
    assert client.score([right()]).rewards == [RIGHT]
    for child in children:
        child.join(60)
        assert child.exitcode == 0
        assert answers.get() == [RIGHT, WRONG]
    assert client.score([wrong()]).rewards == [WRONG]


def test_a_spawned_process_has_a_client_of_its_own(client: SyncRewardClient) -> None:
    client.score([right()])
    with pickle.loads(pickle.dumps(client)) as arrived:
        assert arrived.score([right()]).rewards == [RIGHT]
        assert len(threads()) == 2


def test_errors_are_those_of_the_client_with_a_loop(faulty: FaultyServer) -> None:
    with pytest.raises(RewardError, match="url: "):
        SyncRewardClient(ClientOptions("nowhere"))
    with SyncRewardClient(ClientOptions(faulty.url, patience=0.5)) as client:
        faulty.script(SCORE, status(422))
        with pytest.raises(RewardRefused, match="422"):
            client.score([right()])
        faulty.script(SCORE, hang)
        with pytest.raises(RewardUnavailable, match=r"within 0\.5 s"):
            client.score([right()])


def test_a_batch_that_waits_when_its_client_is_closed_ends_with_an_error(faulty: FaultyServer) -> None:
    faulty.always(SCORE, hang)
    client = SyncRewardClient(ClientOptions(faulty.url, patience=LONG))
    with ThreadPoolExecutor(1) as pool:
        scoring = pool.submit(client.score, [right()])
        eventually(lambda: faulty.count(SCORE) == 1)
        client.close()
        with pytest.raises(RewardError, match="the client was closed"):
            scoring.result(60)
    assert threads() == []


def test_a_process_ends_with_its_work_though_its_client_was_never_closed(server: Server) -> None:
    program = (
        "from reward_server.client import ClientOptions, SyncRewardClient\n"
        "from reward_server.wire import Rollout\n"
        f"client = SyncRewardClient(ClientOptions({server.url!r}))\n"
        "print(client.score([Rollout(completion='', label={'type': 'terminate'})]).rewards)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("[0.0]\n", "")
