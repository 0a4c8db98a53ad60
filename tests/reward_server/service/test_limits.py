"""Sizes: what is over a limit is refused by that limit's name, what is at it is served, however big."""

import json
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import httpx
import pytest

from tests.reward_server.service.support import (
    PLAIN,
    TERMINATE,
    assert_refused,
    assert_still_scores,
    batch,
    rollout,
    said,
    status_before_the_body,
)
from tests.servers import Server, running_server

MOST_BYTES, MOST_ROLLOUTS, MOST_CHARS = 3_000, 3, 200
MEGABYTES_64 = 64 * 2**20


@pytest.fixture(scope="module")
def small() -> Iterator[Server]:
    """A server with small limits."""
    limits = {
        "REWARD_MAX_BODY_BYTES": str(MOST_BYTES),
        "REWARD_MAX_ROLLOUTS": str(MOST_ROLLOUTS),
        "REWARD_MAX_FIELD_CHARS": str(MOST_CHARS),
    }
    with running_server(*PLAIN, **limits) as running:
        yield running


@pytest.fixture(autouse=True)
def next_good_request(small: Server) -> Iterator[None]:
    """After each request over a limit the same server still answers."""
    yield
    assert_still_scores(small)


def padded(size: int) -> bytes:
    """A good request of exactly so many bytes."""
    return json.dumps(batch(rollout())).encode().ljust(size)


def chunks(body: bytes, size: int = 500) -> Iterator[bytes]:
    """The body piece by piece: httpx then sends it chunked, without a Content-Length."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def openrlhf(count: int, query: str = "p", prompt: str = "p") -> dict[str, object]:
    return {"query": [query] * count, "prompts": [prompt] * count, "labels": [TERMINATE] * count}


def test_a_body_at_the_limit_is_scored(small: Server) -> None:
    assert small.post(content=padded(MOST_BYTES)).json()["rewards"] == [0.8]
    assert small.post(content=chunks(padded(MOST_BYTES))).json()["rewards"] == [0.8]


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 1_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_by_the_limits_name(small: Server, size: int, chunked: bool) -> None:
    body = padded(size)
    response = httpx.post(f"{small.url}/score", content=chunks(body) if chunked else body, timeout=60)
    detail = assert_refused(response, 413, "body-too-large", "")["detail"]
    assert "REWARD_MAX_BODY_BYTES" in detail
    assert f"{MOST_BYTES:,}" in detail


def test_a_body_declared_over_the_limit_is_refused_before_it_comes(small: Server) -> None:
    assert status_before_the_body(small, Content_Length="1000000") == 413


def test_as_many_rollouts_as_allowed_are_scored(small: Server) -> None:
    assert small.post(json=batch(*[rollout()] * MOST_ROLLOUTS)).json()["rewards"] == [0.8] * MOST_ROLLOUTS
    assert small.post(json=openrlhf(MOST_ROLLOUTS)).json()["rewards"] == [0] * MOST_ROLLOUTS


def test_more_rollouts_than_allowed_are_refused_by_the_limits_name(small: Server) -> None:
    native = small.post(json=batch(*[rollout()] * (MOST_ROLLOUTS + 1)))
    assert "REWARD_MAX_ROLLOUTS" in assert_refused(native, 422, "over-limit", "/rollouts")["detail"]
    stock = small.post(json=openrlhf(MOST_ROLLOUTS + 1))
    assert "REWARD_MAX_ROLLOUTS" in assert_refused(stock, 422, "over-limit", "/query")["detail"]


@pytest.mark.parametrize("field", ["completion", "prompt"])
def test_a_field_is_measured_in_characters(small: Server, field: str) -> None:
    fits, over = "é" * MOST_CHARS, "é" * (MOST_CHARS + 1)
    assert small.post(json=batch(rollout(**{field: fits}))).status_code == 200
    response = small.post(json=batch(rollout(), rollout(**{field: over})))
    detail = assert_refused(response, 422, "over-limit", f"/rollouts/1/{field}")["detail"]
    assert "REWARD_MAX_FIELD_CHARS" in detail
    assert str(MOST_CHARS) in detail


@pytest.mark.parametrize(("field", "pointer"), [("query", "/query/0"), ("prompt", "/prompts/0")])
def test_openrlhfs_fields_have_the_same_limit(small: Server, field: str, pointer: str) -> None:
    fits, over = "p" * MOST_CHARS, "p" * (MOST_CHARS + 1)
    assert small.post(json=openrlhf(1, fits, fits)).status_code == 200
    response = small.post(json=openrlhf(1, **{field: over}))
    assert "REWARD_MAX_FIELD_CHARS" in assert_refused(response, 422, "over-limit", pointer)["detail"]


def nested(levels: int) -> object:
    value: object = 0
    for level in range(levels):
        value = {"deeper": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize(
    ("message", "above"),
    [
        (lambda levels: batch(rollout()) | {"more": nested(levels)}, 1),
        (lambda levels: batch(rollout(label={**TERMINATE, "more": nested(levels)})), 4),
        (lambda levels: openrlhf(1) | {"labels": [{**TERMINATE, "more": nested(levels)}]}, 3),
    ],
    ids=["beside the rollouts", "in a label", "in OpenRLHF's label"],
)
def test_nesting_has_a_limit(server: Server, message: Callable[[int], object], above: int) -> None:
    assert server.post(json=message(64 - above)).status_code == 200
    response = server.post(json=message(65 - above))
    assert "REWARD_MAX_DEPTH allows 64 levels" in assert_refused(response, 422, "over-limit", "")["detail"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_labels_field_has_a_limit_of_its_own(server: Server, wrapped: bool) -> None:
    def label(size: int) -> object:
        action = {"type": "click", "name": "x" * size}
        return {"action": action} if wrapped else action

    assert server.post(json=batch(rollout(label=label(65_536)))).status_code == 200
    pointer = "/rollouts/0/label/action/name" if wrapped else "/rollouts/0/label/name"
    response = server.post(json=batch(rollout(label=label(65_537))))
    assert "65,536" in assert_refused(response, 422, "bad-label", pointer)["detail"]


def test_a_completion_of_64_megabytes_is_read_like_any_other(server: Server) -> None:
    nonsense = b'{"rollouts": [{"label": {"type": "terminate"}, "completion": "%s"}]}' % (b"a" * MEGABYTES_64)
    (result,) = server.post(content=nonsense).json()["results"]
    assert (result["reward"], result["reason"]) == (0, "not_json")
    frame = said(TERMINATE, "")
    long = frame.replace('""', f'"{"a" * (MEGABYTES_64 - len(frame))}"')
    assert len(long) == MEGABYTES_64
    assert server.post(json=batch({"completion": long, "label": TERMINATE})).json()["rewards"] == [0.8]
    assert_still_scores(server)


@pytest.mark.parametrize(
    "text", ["a" * MEGABYTES_64, '{"' * (MEGABYTES_64 // 16)], ids=["64 MB of nonsense", "8 MB of broken JSON"]
)
def test_a_long_label_string_is_refused_with_a_short_answer(server: Server, text: str) -> None:
    response = server.post(json=batch(rollout(label=text)))
    assert_refused(response, 422, "bad-label", "/rollouts/0/label")
    assert len(response.content) < 5_000
    assert_still_scores(server)


@pytest.mark.parametrize("length", ["0" * 4999 + "62", "9" * 5000])
def test_a_content_length_of_any_size_is_no_crash(length: str, server: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60) as connection:
        head = f"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode() + b" " * 62)
        assert connection.makefile("rb").readline().split()[1] in {b"400", b"413", b"422"}


def test_a_client_that_sends_its_whole_body_first_still_reads_the_413() -> None:
    with running_server(*PLAIN, REWARD_MAX_BODY_BYTES="100000") as small:
        connection = HTTPConnection("127.0.0.1", int(small.url.rpartition(":")[2]), timeout=60)
        connection.request("POST", "/score", body=b" " * 20_000_000)
        assert connection.getresponse().status == 413
        connection.close()


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")], ids=["as OpenRLHF writes it", "otherwise"])
def test_many_small_values_are_refused_before_they_take_memory(separators: tuple[str, str]) -> None:
    message = {"query": ["page x"], "prompts": ["page"], "labels": [[{}] * 200_000]}
    with running_server(*PLAIN, REWARD_MAX_BODY_BYTES=str(2**20)) as server:
        content = json.dumps(message, separators=separators).encode()
        problem = assert_refused(server.post(content=content), 422, "over-limit", "")
        assert "so many small values" in problem["detail"]
