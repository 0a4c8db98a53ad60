"""Bytes that no good client sends: smuggled requests, odd hosts, endless heads; and what browsers are told."""

import re
import socket
from contextlib import suppress

import httpx
import pytest

from tests.reward_server.service.support import assert_still_scores, batch, rollout
from tests.servers import Server

EMPTY = b'{"rollouts": []}'
SECOND = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /score HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"\r\n0\r\n\r\n" + SECOND


def statuses(server: Server, request: bytes) -> list[int]:
    """The statuses of all that comes back for these bytes, until the server has nothing more to read."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", stream.read())]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 16\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"X: a\r\n b\r\nTransfer-Encoding: chunked\r\n",
        b"X: a\rTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 99\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: -1\r\n",
    ],
)
def test_a_body_whose_length_two_readers_could_take_differently_ends_the_connection(
    server: Server, head: bytes
) -> None:
    """Were the second request answered, a proxy that reads the first otherwise would hand that to somebody else."""
    assert statuses(server, POST + head + CHUNKED) == [400]
    assert_still_scores(server)


@pytest.mark.parametrize("size", [b"-1", b"0x10", b"10 ", b"fffffffffffffffff", b"10;a\n"])
def test_a_chunk_of_an_odd_size_ends_the_connection(server: Server, size: bytes) -> None:
    chunk = b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + EMPTY + CHUNKED
    assert statuses(server, POST + chunk)[-1] == 400
    assert_still_scores(server)


@pytest.mark.parametrize("byte", [b"\0", b"\x01", b"\x7f", b"\r", b"\n"])
def test_a_control_character_in_a_key_ends_the_connection(server: Server, byte: bytes) -> None:
    head = b"Authorization: Bearer k" + byte + b"ey\r\nContent-Length: 16\r\n\r\n"
    assert statuses(server, POST + head + EMPTY) == [400]
    assert_still_scores(server)


@pytest.mark.parametrize(
    "request_line",
    [b"PRI * HTTP/2.0", b"GET /healthz HTTP/9.9", b"CONNECT a:443 HTTP/1.1", b"hello", b"\x16\x03\x01\0."],
)
def test_what_is_not_http_1_ends_the_connection(server: Server, request_line: bytes) -> None:
    assert statuses(server, request_line + b"\r\nHost: a\r\n\r\n" + SECOND) == [400]
    assert_still_scores(server)


@pytest.mark.parametrize("host", [b"[", b"a b/c?d#e@f:99999999", b"\xff\xfe", b"", b"a\r\nHost: b"])
@pytest.mark.parametrize(("path", "status"), [(b"/healthz", 200), (b"/nope", 404), (b"//b/healthz", 404)])
def test_no_answer_depends_on_the_host(server: Server, host: bytes, path: bytes, status: int) -> None:
    assert statuses(server, b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == [status]


@pytest.mark.parametrize(
    "start",
    [
        b"GET /",
        b"GET /healthz HTTP/1.1\r\nX: ",
        SECOND + b"GET /healthz HTTP/1.1\r\nX: ",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1;",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX: ",
    ],
    ids=["line", "header", "second", "chunk", "trailer"],
)
def test_a_head_that_does_not_end_is_refused_and_so_is_what_stands_around_chunks(server: Server, start: bytes) -> None:
    """Piece by piece, each read by itself; all at once is more than one read of the server too."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(start)
        with suppress(ConnectionError):
            for _ in range(1_000):
                connection.sendall(b"a" * 65_536)
            pytest.fail("64 MB were taken for a head")
        with suppress(ConnectionError):
            answer = connection.recv(1_000)
            assert answer == b"" or b" 431 " in answer or b" 200 " in answer
    assert_still_scores(server)


def test_many_short_headers_are_refused_too(server: Server) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{server.url}/healthz", headers=[("X", "a" * 1_000)] * 1_000, trust_env=False).raise_for_status()
    assert_still_scores(server)


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/openapi.json", "/version", "/nope", "/score"])
def test_browsers_are_told_to_keep_frame_and_run_nothing(server: Server, path: str) -> None:
    headers = server.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_a_score_is_not_to_be_kept_by_caches_and_no_other_origin_may_read_it(server: Server) -> None:
    headers = server.post(json=batch(rollout()), headers={"Origin": "https://evil.example"}).headers
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control-")]
