"""Numbers that are none, halves of characters, bytes that are not UTF-8, deep nesting: the caller's or the model's."""

from collections.abc import Iterator

import pytest

from tests.reward_server.service.support import TERMINATE, assert_refused, assert_still_scores, batch, rollout
from tests.servers import Server

RIGHT = rb"{\"rationale\": \"r\", \"action\": {\"type\": \"terminate\"}}"
"""A right completion, as it stands inside a JSON string."""


@pytest.fixture(autouse=True)
def next_good_request(server: Server) -> Iterator[None]:
    """After each bad input the same server still answers."""
    yield
    assert_still_scores(server)


LABEL = b'"label": {"type": "click", "name": "add_to_cart"}'


def body(completion: bytes = RIGHT, *members: bytes) -> bytes:
    """One rollout, byte by byte, with further members; with LABEL where they bring no label."""
    labelled = members if any(member.startswith(b'"label"') for member in members) else (*members, LABEL)
    return b'{"rollouts": [{"completion": "%s", %s}]}' % (completion, b", ".join(labelled))


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 1_000_000])
@pytest.mark.parametrize(
    ("member", "pointer"),
    [
        (b'"certainty": {"vocab_size": %s, "top_logprobs": []}', "/rollouts/0/certainty/vocab_size"),
        (b'"certainty": {"vocab_size": 4, "top_logprobs": [[-1, %s]]}', "/rollouts/0/certainty/top_logprobs/0/1"),
        (b'"prompt_token_ids": [%s]', "/rollouts/0/prompt_token_ids/0"),
        (b'"id": %s', "/rollouts/0/id"),
        (b'"label": {"type": "terminate", "price": %s}', "/rollouts/0/label/price"),
        (b'"a/b~c": {"nobody reads": %s}', "/rollouts/0/a~1b~0c/nobody reads"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_wherever_it_stands(
    server: Server, number: bytes, member: bytes, pointer: str
) -> None:
    assert_refused(server.post(content=body(RIGHT, member % number)), 422, "bad-json", pointer)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_is_not_finite_makes_a_completion_invalid(server: Server, number: bytes) -> None:
    completion = RIGHT[:-2] + rb", \"price\": " + number + b"}}"
    response = server.post(content=body(completion))
    assert [result["reason"] for result in response.json()["results"]] == ["not_json"]


def test_a_megabyte_of_digits_in_a_completion_is_a_number_like_any_other(server: Server) -> None:
    digits = b"1" * 1_000_000
    unused = RIGHT[:-2] + rb", \"price\": " + digits + b"}}"
    assert server.post(content=body(unused)).json()["rewards"] == [0.5]
    as_rationale = rb"{\"rationale\": " + digits + rb", \"action\": {\"type\": \"terminate\"}}"
    (result,) = server.post(content=body(as_rationale)).json()["results"]
    assert result["reason"] == "bad_rationale"


@pytest.mark.parametrize(
    "text", [rb"\ud800", rb"\udfff", rb"\ude00\ud83d", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf"], ids=ascii
)
@pytest.mark.parametrize(
    ("member", "pointer"),
    [
        (b'"id": "%s"', "id"),
        (b'"group": "%s"', "group"),
        (b'"prompt": "before %s after"', "prompt"),
        (b'"label": {"type": "click", "name": "%s"}', "label/name"),
        (b'"label": {"action": {"type": "click", "name": "%s"}}', "label/action/name"),
        (b'"label": "{%s}"', "label"),
        (b'"mine": ["%s"]', "mine/0"),
    ],
    ids=ascii,
)
def test_text_that_is_not_unicode_is_refused_with_a_pointer_to_it(
    server: Server, text: bytes, member: bytes, pointer: str
) -> None:
    assert_refused(server.post(content=body(RIGHT, member % text)), 422, "bad-json", f"/rollouts/0/{pointer}")


@pytest.mark.parametrize("key", [rb"\ud800", b"\xff"], ids=ascii)
def test_a_key_that_is_not_unicode_is_refused_with_a_pointer_to_its_object(server: Server, key: bytes) -> None:
    assert_refused(server.post(content=body(RIGHT, b'"%s": 1' % key)), 422, "bad-json", "/rollouts/0")


@pytest.mark.parametrize("text", [rb"\ud800", b"\xff", b"\xed\xa0\x80"], ids=ascii)
@pytest.mark.parametrize(("field", "pointer"), [("prompts", "/prompts/0"), ("labels", "/labels/0/name")])
def test_text_that_is_not_unicode_is_refused_in_openrlhfs_prompts_and_labels(
    server: Server, text: bytes, field: str, pointer: str
) -> None:
    prompt = text if field == "prompts" else b"p"
    name = text if field == "labels" else b"a"
    request = b'{"query": ["p"], "prompts": ["%s"], "labels": [{"type": "click", "name": "%s"}]}' % (prompt, name)
    assert_refused(server.post(content=request), 422, "bad-json", pointer)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (RIGHT.replace(b"r", rb"\ud800", 1), "not_json"),
        (rb"{\"rationale\": \"\ud800\", \"action\": {\"type\": \"terminate\"}}", "not_json"),
        (rb"{\"rationale\": \"\\ud800\", \"action\": {\"type\": \"terminate\"}}", "not_json"),
        (b'{\\"rationale\\": \\"\xff\\", \\"action\\": {\\"type\\": \\"terminate\\"}}', "not_json"),
        (b'{\\"rationale\\": \\"\xe6\x97\\", \\"action\\": {\\"type\\": \\"terminate\\"}}', "not_json"),
        (RIGHT + rb"\ud800", "extra_text"),
        (b"\xff", "not_json"),
        (rb"\udcff", "not_json"),
    ],
    ids=ascii,
)
def test_text_that_is_not_unicode_in_a_completion_is_the_models_fault(server: Server, text: bytes, reason: str) -> None:
    response = server.post(content=body(text))
    assert response.status_code == 200, response.text
    (result,) = response.json()["results"]
    assert (result["reward"], result["reason"]) == (0, reason)
    request = b'{"query": ["p%s"], "prompts": ["p"], "labels": [{"type": "terminate"}]}' % text
    assert server.post(content=request).json()["rewards"] == [0]


def test_a_whole_surrogate_pair_is_a_character_like_any_other(server: Server) -> None:
    pair = rb"\ud83d\ude00"
    action = rb"{\"type\": \"click\", \"name\": \"%s\"}" % pair
    completion = rb"{\"rationale\": \"\\ud83d\\ude00\", \"action\": %s}" % action
    label = b'"label": {"type": "click", "name": "%s"}' % pair
    (result,) = server.post(content=body(completion, label, b'"id": "%s"' % pair)).json()["results"]
    assert (result["id"], result["action"], result["exact_match"]) == ("😀", {"type": "click", "name": "😀"}, True)


@pytest.mark.parametrize(
    "request_body",
    [
        body(RIGHT, b'"mine": ' + b"[" * 10_000 + b"]" * 10_000),
        body(RIGHT, b'"label": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        b"[" * 10_000 + b"]" * 10_000,
        b"[" * 1_000_000,
    ],
    ids=["unknown field", "label", "whole body", "never closed"],
)
def test_a_request_nested_ten_thousand_deep_is_refused(server: Server, request_body: bytes) -> None:
    assert "nested" in assert_refused(server.post(content=request_body), 422, "bad-json", "")["detail"]


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_a_completion_nested_ten_thousand_deep_is_not_json(server: Server, opens: str, closes: str) -> None:
    deep = opens * 10_000 + "1" + closes * 10_000
    completions = [deep, opens * 10_000, f'{{"rationale": "r", "action": {{"type": "terminate", "x": {deep}}}}}']
    response = server.post(json=batch(*[{"completion": text, "label": TERMINATE} for text in completions]))
    assert response.status_code == 200, response.text[:500]
    assert [result["reason"] for result in response.json()["results"]] == ["not_json"] * 3


def test_numbers_at_the_edge_of_a_double_are_fine(server: Server) -> None:
    edge = rollout(certainty={"vocab_size": 4, "top_logprobs": [[-0.0, -1.7e308, -5e-324]]})
    assert server.post(json=batch(edge)).json()["rewards"] == [0.8]
