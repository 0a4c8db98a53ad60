"""The client and servers that answer, or go, before they have the whole request."""

import socket
import struct
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from reward_server import wire
from reward_server.client import RewardUnavailable
from tests.reward_server.client.faulty_server import SCORE, FaultyServer, running_faulty_server
from tests.reward_server.client.support import RIGHT, failure, right, score
from tests.reward_server.service.support import TERMINATE

LARGE = wire.Rollout(completion="x" * (8 * 2**20), label=TERMINATE, id="step1/large")
"""More than both ends hold for a server that reads nothing: it is still being sent when the answer comes."""


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with running_faulty_server() as running:
        # What a connection holds for its reader, set before there are any; Linux sends 4 MiB ahead at most.
        running.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        yield running


def refuse(handler: BaseHTTPRequestHandler, retry_after: str = "0") -> None:
    handler.send_response(503)
    for name, value in {"Retry-After": retry_after, "Content-Length": "0", "Connection": "close"}.items():
        handler.send_header(name, value)
    handler.end_headers()


def refuse_and_read_on(handler: BaseHTTPRequestHandler, retry_after: str = "0") -> None:
    """As a server does that wants to be heard."""
    refuse(handler, retry_after)
    handler.connection.shutdown(socket.SHUT_WR)
    while handler.rfile.read(2**20):
        pass


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


@pytest.mark.parametrize("fault", [refuse, refuse_and_read_on, reset])
@pytest.mark.parametrize("rollouts", [[right()], [LARGE, right()]], ids=["small", "large"])
def test_a_batch_whose_sending_is_cut_short_is_sent_again(
    server: FaultyServer, fault: Callable[[BaseHTTPRequestHandler], None], rollouts: list[wire.Rollout]
) -> None:
    server.before_the_body.append(fault)
    assert score(server.url, *rollouts).rewards[-1] == RIGHT
    assert not server.before_the_body
    assert server.count(SCORE) == 1


@pytest.mark.parametrize("rollout", [right(), LARGE], ids=["small", "large"])
def test_when_to_come_back_is_heard_in_the_middle_of_sending(server: FaultyServer, rollout: wire.Rollout) -> None:
    server.before_the_body.append(lambda handler: refuse_and_read_on(handler, "9999"))
    error = failure(server.url, rollout)
    assert type(error) is RewardUnavailable
    assert "may not be asked again before that; the last that went wrong: Service Unavailable (503)" in str(error)
    assert server.count(SCORE) == 0
