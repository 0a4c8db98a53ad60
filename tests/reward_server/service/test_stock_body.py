"""The body that stock OpenRLHF posts, read by comparing bytes: the same as decoding it all, or not at all."""

import json
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reward_server.service.stock_body import StockBodies

LABEL = {"type": "click", "name": "buy"}
PAGE = 'a page with "quotes", \\ back\\slashes, é, 😀\n and {"query": ["brackets"], "prompts": ["]}'
MIDDLE, TAIL = '"], "prompts": ["', '"], "labels": '


def body(query: str, prompt: str, label: object = LABEL) -> bytes:
    return json.dumps({"query": [query], "prompts": [prompt], "labels": [label]}).encode()


def listed(pages: list[str], labels: object) -> bytes:
    return json.dumps({"query": pages, "prompts": pages, "labels": labels}).encode()


def new() -> StockBodies:
    return StockBodies(1_000_000)


@pytest.mark.parametrize("completion", ["", "hello", '{"rationale": "é\\"", "action": {}}', MIDDLE, TAIL, "😀\\"])
@pytest.mark.parametrize("prompt", [PAGE, PAGE * 100, "four", MIDDLE * 3, TAIL * 3])
def test_it_finds_page_completion_and_label(prompt: str, completion: str) -> None:
    bodies = new()
    for _ in range(2):  # a page that is new, and one that came before
        found = bodies.read(body(prompt + completion, prompt))
        assert found is not None
        assert (found.prompt, found.completion, found.label) == (prompt, completion, LABEL)


def test_pages_that_look_alike_where_it_looks_are_told_apart() -> None:
    bodies = new()
    for letter in "abab":
        prompt = f"{letter}{PAGE * 100}"
        found = bodies.read(body(f"{prompt}hello", prompt))
        assert found is not None
        assert (found.prompt, found.completion) == (prompt, "hello")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(body("other page, hello", PAGE), id="another prompt"),
        pytest.param(body(PAGE[:40], PAGE), id="less than the prompt"),
        pytest.param(body("abc", "abc"), id="hardly a prompt"),
        pytest.param(
            json.dumps({"query": [PAGE] * 2, "prompts": [PAGE] * 2, "labels": [1]}).encode(), id="two queries"
        ),
        pytest.param(json.dumps({"query": [PAGE], "prompts": [PAGE], "labels": [1, 2]}).encode(), id="two labels"),
        pytest.param(json.dumps({"query": [PAGE], "prompts": [PAGE], "labels": {"a": 1}}).encode(), id="no list"),
        pytest.param(body(PAGE, PAGE) + b" ", id="something after it"),
        pytest.param(body(PAGE, PAGE)[:-1], id="no end"),
        pytest.param(body(PAGE, PAGE)[:-1] + b"]", id="another end"),
        pytest.param(body(PAGE, PAGE)[:-1] + b', "query": ["x"]}', id="a key twice"),
        pytest.param(body(PAGE + "\ud800", PAGE), id="half a character"),
        pytest.param(body("pagepage" + "x", "pagepage").replace(b"x", b"\n"), id="a line's end in a string"),
        pytest.param(body("page\x00page", "page\x00page").replace(b"\\u0000", b"\x00"), id="a control character"),
        pytest.param(body("pageZpage", "pageZpage").replace(b"Z", b"\\x"), id="no such escape"),
        pytest.param(body("pageZpage", "pageZpage").replace(b"Z", b"\xff"), id="no UTF-8"),
        pytest.param(body("page\\", "page\\").replace(b'\\\\"', b'\\"'), id="a string without an end"),
        pytest.param(b'{"query": [', id="hardly begun"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_whatever_is_not_of_that_form_is_left_to_others(content: bytes) -> None:
    bodies = new()
    bodies.read(body(PAGE, PAGE))
    assert bodies.read(content) is None
    assert bodies.read(content) is None


def test_it_forgets_the_pages_that_were_used_longest_ago() -> None:
    bodies = StockBodies(250_000)
    one, two, three = (letter * 50_000 for letter in "abc")
    for page in (one, two, one, three):
        assert bodies.read(body(f"{page}x", page)) is not None
    assert [page.text[0] for page in bodies._pages.values()] == ["a", "c"]
    assert bodies._size <= 250_000


def test_pages_of_a_few_bytes_take_no_more_memory_than_others() -> None:
    bodies = StockBodies(1_000_000)
    tracemalloc.start()
    try:
        for number in range(5_000):
            assert bodies.read(body(f"{number:08}x", f"{number:08}")) is not None
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_page_that_is_larger_than_all_it_may_remember_is_read_all_the_same() -> None:
    bodies = StockBodies(1_000)
    for _ in range(2):
        found = bodies.read(body(PAGE * 100 + "x", PAGE * 100))
        assert found is not None
        assert found.completion == "x"
    assert not bodies._pages


TEXTS = st.text(alphabet='ab"\\,[]{}: é😀\n\ud800', max_size=30) | st.sampled_from([MIDDLE, TAIL, '{"query": ["'])


@st.composite
def near(draw: Callable[..., object]) -> bytes:
    """Bodies of that form, and those that miss it by a little."""
    prompt = str(draw(TEXTS))
    label = draw(TEXTS | st.just(LABEL) | st.lists(TEXTS, max_size=2))
    content = bytearray(body(prompt + str(draw(TEXTS)), prompt, label))
    for _ in range(int(str(draw(st.integers(0, 3))))):
        at = int(str(draw(st.integers(0, len(content) - 1))))
        piece = str(draw(st.sampled_from(['"', "\\", ",", "]", "[", " ", "", MIDDLE, TAIL, "x"]))).encode()
        content[at : at + int(str(draw(st.integers(0, 2))))] = piece
    return bytes(content)


@settings(max_examples=2_000, deadline=None)
@given(content=near())
@example(content=body("a" * 12, "a" * 6))
def test_what_it_finds_is_what_decoding_finds(content: bytes) -> None:
    bodies = new()
    for _ in range(2):
        found = bodies.read(content)
        if found is not None:
            message = json.loads(content)
            assert list(message) == ["query", "prompts", "labels"]
            assert message == {
                "query": [found.prompt + found.completion],
                "prompts": [found.prompt],
                "labels": [found.label],
            }
