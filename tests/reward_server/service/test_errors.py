"""What a caller may not send: refused with a pointer, never scored, and the next good request is scored as before."""

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reward_server.service.support import (
    CLICK,
    SEARCH,
    TERMINATE,
    assert_refused,
    assert_still_scores,
    batch,
    rollout,
    said,
    sample,
)
from tests.servers import Server, running_server


@pytest.fixture(autouse=True)
def next_good_request(server: Server) -> Iterator[None]:
    """After each bad input the same server still answers."""
    yield
    assert_still_scores(server)


def without(field: str) -> dict[str, object]:
    return {name: value for name, value in SEARCH.items() if name != field}


@pytest.mark.parametrize(
    ("label", "pointer"),
    [
        (None, ""),
        (7, ""),
        (True, ""),
        ([CLICK], ""),
        ({}, "/type"),
        ({"type": None}, "/type"),
        ({"type": 3}, "/type"),
        ({"type": "hover"}, "/type"),
        ({"type": ""}, "/type"),
        ({"type": "Click", "name": "a"}, "/type"),
        ({"action": None}, "/action"),
        ({"action": "click"}, "/action"),
        ({"action": {}}, "/action/type"),
        ({"action": {"type": "hover"}}, "/action/type"),
        ({"action": without("text")}, "/action/text"),
        (without("name"), "/name"),
        (without("text"), "/text"),
        ({**SEARCH, "text": None}, "/text"),
        ({**SEARCH, "text": 3}, "/text"),
        ({**SEARCH, "name": ["search_input"]}, "/name"),
    ],
    ids=str,
)
def test_a_label_that_is_no_action_of_the_spec_is_refused_with_a_pointer_to_the_fault(
    server: Server, label: object, pointer: str
) -> None:
    response = server.post(json=batch(rollout(), rollout(label=label)))
    assert_refused(response, 422, "bad-label", f"/rollouts/1/label{pointer}")


@pytest.mark.parametrize(
    "label",
    [
        "",
        "  ",
        "click",
        "null",
        "[]",
        '"{}"',
        '{"type": "click"}',
        '{"type": "hover"}',
        '{"action": {"type": "click"}}',
        '{"type": "terminate"} and more',
        '{"type": "terminate", "type": "click"}',
        '{"type": "click", "name": "\\ud800"}',
        '{"type": "terminate", "x": NaN}',
        f'{{"type": "terminate", "x": {"[" * 10_000}{"]" * 10_000}}}',
    ],
    ids=lambda label: label[:40],
)
def test_a_label_string_that_holds_no_action_is_refused_with_a_pointer_to_the_label(server: Server, label: str) -> None:
    assert_refused(server.post(json=batch(rollout(label=label))), 422, "bad-label", "/rollouts/0/label")


def test_an_unknown_label_type_is_answered_with_the_types_that_there_are(server: Server) -> None:
    response = server.post(json=batch(rollout(label={"type": "hover"})))
    detail = assert_refused(response, 422, "bad-label", "/rollouts/0/label/type")["detail"]
    for name in ("hover", "click", "terminate", "type_and_submit"):
        assert name in detail


@pytest.mark.parametrize(
    "label",
    [
        {"type": "terminate", "name": None, "text": None},
        {"action": {"type": "terminate", "name": None, "text": None}},
        {"action": TERMINATE, "type": None, "name": None},
        {"type": "terminate", "name": None, "action": None},
        '{"type": "terminate", "name": null, "text": null}',
    ],
    ids=str,
)
def test_null_in_fields_that_a_label_does_not_use_is_fine(server: Server, label: object) -> None:
    """Arrow-backed data sets give every row the union of all keys."""
    response = server.post(json=batch(rollout(label=label)))
    assert response.status_code == 200, response.text
    assert response.json()["rewards"] == [0.8]


def test_every_bad_label_of_a_batch_is_listed_up_to_twenty(server: Server) -> None:
    bad = rollout(label={"type": "hover"})
    body = assert_refused(server.post(json=batch(rollout(), *[bad] * 3)), 422, "bad-label", "/rollouts/1/label/type")
    assert [error["pointer"] for error in body["errors"]] == [f"/rollouts/{n}/label/type" for n in (1, 2, 3)]
    assert len(server.post(json=batch(*[bad] * 50)).json()["errors"]) == 20


def test_nothing_of_a_refused_batch_is_counted_as_scored(server: Server) -> None:
    def counted() -> float:
        return sample(server, "shop_r1_rollouts_total", spec="shop-r1-no-rationale", reason="valid")

    before = counted()
    server.post(json=batch(rollout(), rollout(label={"type": "hover"})))
    assert counted() == before


@pytest.mark.parametrize(
    ("rollouts", "pointer"),
    [
        (None, ""),
        ({}, ""),
        ("text", ""),
        ([None], "/0"),
        ([[]], "/0"),
        (["text"], "/0"),
        ([rollout(), {"completion": "x"}], "/1/label"),
        ([{"label": TERMINATE}], "/0/completion"),
        ([rollout(completion=None)], "/0/completion"),
        ([rollout(completion=3)], "/0/completion"),
        ([rollout(completion={"rationale": "r", "action": TERMINATE})], "/0/completion"),
        ([rollout(id=3)], "/0/id"),
        ([rollout(group=["g"])], "/0/group"),
        ([rollout(prompt=7)], "/0/prompt"),
        ([rollout(prompt_token_ids=[1, -1])], "/0/prompt_token_ids/1"),
        ([rollout(prompt_token_ids=[1.5])], "/0/prompt_token_ids/0"),
        ([rollout(completion_token_ids=["1"])], "/0/completion_token_ids/0"),
        ([rollout(certainty=9.1)], "/0/certainty"),
        ([rollout(certainty={"vocab_size": 4})], "/0/certainty/top_logprobs"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_field_of_the_wrong_kind_is_refused_with_a_pointer_to_it(
    server: Server, rollouts: object, pointer: str
) -> None:
    assert_refused(server.post(json={"rollouts": rollouts}), 422, "bad-request", f"/rollouts{pointer}")


@pytest.mark.parametrize("body", [{}, {"rollout": []}, {"prompts": [], "labels": []}, {"rollouts": [], "query": []}])
def test_a_body_of_neither_dialect_or_of_both_is_refused(server: Server, body: object) -> None:
    assert_refused(server.post(json=body), 422, "bad-request", "")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"rollouts"', b"true"])
def test_a_body_that_is_not_an_object_is_refused(server: Server, body: bytes) -> None:
    assert_refused(server.post(content=body), 422, "bad-request", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"rollouts",
        b'{"rollouts": [',
        b'{"rollouts": [],}',
        b"{'rollouts': []}",
        b'{"rollouts": []} {}',
        b"\xef\xbb\xbf{}",
        b"\x1f\x8b\x08\x00",
        b"\x00",
    ],
)
def test_a_body_that_is_not_json_is_refused(server: Server, body: bytes) -> None:
    assert_refused(server.post(content=body), 422, "bad-json", "")


def test_an_empty_body_is_called_empty(server: Server) -> None:
    assert "empty" in server.post(content=b"").json()["detail"]


def test_an_unknown_spec_is_answered_404_with_the_specs_that_there_are(server: Server) -> None:
    body = assert_refused(server.post("/score?spec=nope", json=batch(rollout())), 404, "unknown-spec", "?spec")
    assert "'nope'" in body["detail"]
    assert "shop-r1-no-rationale" in body["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nope"), ("POST", "/"), ("POST", "/score/7"), ("GET", "/%ED%A0%80"), ("GET", "/../etc/passwd")],
)
def test_an_unknown_route_is_answered_404(server: Server, method: str, path: str) -> None:
    assert_refused(server.client.request(method, path), 404, "not-found", "")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/score", "POST"),
        ("PUT", "/score", "POST"),
        ("DELETE", "/get_reward", "POST"),
        ("POST", "/metrics", "GET"),
        ("POST", "/specs/binary", "GET"),
    ],
)
def test_a_wrong_method_is_answered_405_with_the_right_one(
    server: Server, method: str, path: str, allowed: str
) -> None:
    response = server.client.request(method, path)
    assert_refused(response, 405, "method-not-allowed", "")
    assert response.headers["allow"] == allowed


def test_a_client_that_leaves_in_the_middle_of_its_request_harms_nobody(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
        connection.sendall(b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"rollouts": [')
    assert_still_scores(server)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(batch(rollout(label=f'{{"{"k" * 100_000}": 1, "{"k" * 100_000}": 2}}'))).encode(),
        json.dumps(batch(rollout(label={"type": "hover" * 100_000}))).encode(),
        json.dumps({"query": ["x" * 100_000], "prompts": ["y" * 100_000], "labels": [TERMINATE]}).encode(),
    ],
    ids=["a key twice in a label", "label type", "query"],
)
def test_a_refusal_is_short_however_long_what_it_refuses(server: Server, body: bytes) -> None:
    response = server.post(content=body)
    assert response.status_code == 422
    assert len(response.content) < 5_000


def test_a_field_named_like_a_models_text_is_still_the_callers_inside_a_label(tmp_path: Path) -> None:
    spec = tmp_path / "finder.toml"
    spec.write_text(
        'name = "finder"\nformat.weight = 0.0\n[actions.find]\ntype = 1.0\nfields.query = { attribute = 0.5 }\n'
    )
    with running_server("--spec", str(spec), "--certainty", "none") as finder:
        label = {"type": "find", "query": "lamp"}
        assert finder.post(json=batch({"completion": said(label), "label": label})).json()["rewards"] == [1.5]
        body = b'{"rollouts": [{"completion": "x", "label": {"type": "find", "query": "\\ud800"}}]}'
        assert_refused(finder.post(content=body), 422, "bad-json", "/rollouts/0/label/query")


def test_a_wall_of_combining_marks_does_not_freeze_the_server(server: Server) -> None:
    wall = "a" + "\u0301" * 200_000 + "\u0323" * 200_000
    message = {"query": ["x"], "prompts": [wall], "labels": [TERMINATE]}
    assert_refused(server.post(json=message), 422, "no-completion", "/query/0")
    assert_still_scores(server)


def test_a_refusal_says_which_spec_would_have_scored(server: Server) -> None:
    digest = server.get("/version").json()["spec"]["digest"]
    assert server.post(content=b"not JSON").headers["etag"] == f'"{digest}"'


def test_a_path_with_a_slash_too_many_is_no_redirect(server: Server) -> None:
    assert_refused(server.post("/score/", json={}), 404, "not-found", "")


def test_a_wrong_digest_is_not_repeated_in_full(server: Server) -> None:
    response = server.post("/score", params={"digest": "x" * 50_000}, json={})
    assert response.status_code == 412
    assert len(response.content) < 5_000


@pytest.mark.parametrize("encoding", ["gzip", "br, gzip", "identity, gzip"])
def test_a_body_that_is_encoded_is_refused_by_the_name_of_its_header(server: Server, encoding: str) -> None:
    body = gzip.compress(json.dumps(batch(rollout())).encode())
    response = server.post(content=body, headers={"Content-Encoding": encoding})
    assert encoding in assert_refused(response, 415, "unsupported-encoding", "Content-Encoding:")["detail"]


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_body_that_is_said_not_to_be_encoded_is_scored(server: Server, encoding: str) -> None:
    response = server.post(json=batch(rollout()), headers={"Content-Encoding": encoding})
    assert response.json()["rewards"] == [0.8]
