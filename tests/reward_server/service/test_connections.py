"""Slow and silent clients: each is given its time, and then no more; nobody else notices."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.reward_server.service.support import (
    PLAIN,
    assert_still_scores,
    batch,
    eventually,
    half_sent,
    rollout,
    sample,
)
from tests.servers import Server, running_server

HEAD = b"POST /score HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    """A server that gives a request two seconds to arrive."""
    with running_server(*PLAIN, REWARD_REQUEST_SECONDS="2") as running:
        yield running


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60) as connection:
        yield connection


def everything_from(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection; one that it resets has said all it says."""
    answer = b""
    try:
        while piece := connection.recv(65_536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


@pytest.mark.parametrize("sent", [b"", b"POST", HEAD, HEAD + b"X-Long: "], ids=["nothing", "a word", "headers", "half"])
def test_a_head_that_does_not_come_ends_its_connection(hasty: Server, sent: bytes) -> None:
    with connected(hasty) as connection:
        connection.sendall(sent)
        assert everything_from(connection) == b""
    assert_still_scores(hasty)


def test_a_second_head_that_does_not_come_ends_its_connection_too(hasty: Server) -> None:
    with connected(hasty) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + HEAD)
        assert everything_from(connection).endswith(b'{"status":"ok"}')


def test_a_body_that_does_not_come_is_a_408_that_names_the_limit(hasty: Server) -> None:
    with half_sent(hasty, b" " * 1_000) as finish:
        eventually(
            lambda: sample(hasty, "shop_r1_http_requests_total", route="/score", method="POST", status="408") == 1
        )
        answer = finish()
        problem = json.loads(answer.read())
        assert (answer.status, problem["type"]) == (408, "urn:shop-r1:problem:too-slow")
        assert "10 bytes of the body came; REWARD_REQUEST_SECONDS allows 2 s" in problem["detail"]
    assert_still_scores(hasty)


def test_a_large_body_that_stops_coming_is_a_408_as_well(hasty: Server) -> None:
    with connected(hasty) as connection:
        connection.sendall(HEAD + b"Content-Length: 3000000\r\n\r\n" + b" " * 2_000_000)
        assert everything_from(connection).startswith(b"HTTP/1.1 408 ")
    assert_still_scores(hasty)


def test_an_idle_connection_is_kept(hasty: Server) -> None:
    """The clock runs for a request that has begun, not between requests."""
    body = json.dumps(batch(rollout())).encode()
    with connected(hasty) as connection, connection.makefile("rb") as answers:
        for pause in (3, 0):
            connection.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(answers.read(length))["rewards"] == [0.8]
            connection.settimeout(pause or 60)
            if pause:
                with pytest.raises(TimeoutError):
                    connection.recv(1, socket.MSG_PEEK)
                connection.settimeout(60)


def test_requests_that_come_long_before_their_answers_are_answered_in_turn(hasty: Server) -> None:
    labels = ({"type": "terminate"}, {"type": "click", "name": "a"})
    with connected(hasty) as connection:
        for _ in range(100):
            for label in labels:
                body = json.dumps(batch(rollout(label=label))).encode()
                connection.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = everything_from(connection)
    assert re.findall(rb'"rewards":\[(.+?)\]', answers) == [b"0.8", b"0.5"] * 100
    assert answers.endswith(b'{"status":"ok"}')


def test_requests_without_end_before_their_answers_end_the_connection(hasty: Server) -> None:
    with connected(hasty) as connection, pytest.raises(ConnectionError):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 1_000_000)
    assert_still_scores(hasty)


def test_hundreds_of_slow_clients_keep_nobody_waiting(hasty: Server) -> None:
    slow = [socket.create_connection(("127.0.0.1", int(hasty.url.rpartition(":")[2])), timeout=60) for _ in range(400)]
    for connection in slow:
        connection.sendall(HEAD)
    assert_still_scores(hasty)
    for connection in slow:
        assert everything_from(connection) == b""
        connection.close()


def test_any_number_of_seconds_may_be_allowed() -> None:
    with running_server(*PLAIN, REWARD_REQUEST_SECONDS="1e9") as server:
        assert_still_scores(server)


def test_what_follows_a_request_to_upgrade_is_no_request(hasty: Server) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 34\r\n\r\n"
    with connected(hasty) as connection:
        connection.sendall(head)
        time.sleep(0.2)
        with suppress(ConnectionError):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        answers = everything_from(connection)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answers
    assert b"ok" not in answers
