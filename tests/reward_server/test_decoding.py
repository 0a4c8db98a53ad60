"""Untrusted JSON: what is sound comes back as it is, and every fault has its place."""

import json
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.decoding import MAX_DEPTH, DecodeError, decode, pointer

TEXT = st.text()
EXACT_INTEGERS = st.integers(-(2**63), 2**64 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | EXACT_INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def fault(body: bytes) -> tuple[str, str]:
    with pytest.raises(DecodeError) as caught:
        decode(body)
    return caught.value.pointer, caught.value.reason


def unescape(part: str) -> str:
    """One part of a JSON pointer as RFC 6901, section 4, reads it."""
    return part.replace("~1", "/").replace("~0", "~")


@given(JSON, st.booleans(), st.sampled_from([None, 2]))
def test_what_the_standard_library_writes_decodes_to_itself(value: Any, ascii_only: bool, indent: int | None) -> None:
    decoded = decode(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode())
    assert decoded == value
    assert json.dumps(decoded) == json.dumps(value), "1, 1.0 and True are equal but not the same JSON"


@given(JSON)
def test_a_fault_elsewhere_changes_nothing_about_what_is_sound(value: Any) -> None:
    body = json.dumps({"completion": "\ud800", "label": value}).encode()
    assert decode(body) == {"completion": "\ud800", "label": value}


@given(st.integers(2**64, 2**1000) | st.integers(-(2**1000), -(2**63) - 1))
def test_an_integer_beyond_64_bits_comes_as_its_nearest_double_if_not_as_itself(number: int) -> None:
    assert decode(b"%d" % number) in (number, float(number))


@given(st.lists(TEXT | st.integers(0, 10)))
def test_a_pointer_can_be_read_back_into_its_path(path: list[str | int]) -> None:
    written = pointer(tuple(path))
    assert [unescape(part) for part in written.split("/")[1:]] == [str(part) for part in path]
    assert written.startswith("/") or not path


@pytest.mark.parametrize(
    ("path", "written"),
    [((), ""), (("",), "/"), (("a/b", "m~n", 0), "/a~1b/m~0n/0"), (("~1",), "/~01"), (("価格",), "/価格")],
)
def test_pointers_escape_as_rfc_6901_has_it(path: tuple[str | int, ...], written: str) -> None:
    assert pointer(path) == written


def test_a_key_that_is_no_text_still_has_a_pointer_that_can_be_sent() -> None:
    assert pointer(("a\ud800b",)).encode() == b"/a?b"


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        (b"", "", "the body is empty"),
        (b" ", "", "not JSON"),
        (b"{", "", "line 1, column 2"),
        (b'{"a": 1,\n}', "", "line 2, column 1"),
        (b"{'a': 1}", "", "not JSON"),
        (b"[1,]", "", "not JSON"),
        (b"[1] []", "", "not JSON"),
        (b'"a\nb"', "", "control character"),
        (b'"\\x"', "", "not JSON"),
        (b"\xff", "", "not JSON"),
        (b"\xef\xbb\xbf{}", "", "BOM"),
        (b"NaN", "", "finite"),
        (b'{"a": [0, {"b": -Infinity}]}', "/a/1/b", "finite"),
        (b'{"a/b": {"m~n": [1e400]}}', "/a~1b/m~0n/0", "finite"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "/a", "finite"),
        (b'{"id": "\\ud800"}', "/id", "surrogate"),
        (b'{"id": "\\udc00\\ud800"}', "/id", "surrogate"),
        (b'{"id": ["ok", "\xff"]}', "/id/1", "UTF-8"),
        (b'{"prompt": "\xed\xa0\x80"}', "/prompt", "UTF-8"),
        (b'{"label": {"x": {"\\ud800": 1}}}', "/label/x", "key"),
        (b'{"completion": NaN}', "/completion", "finite"),
        (b'{"completion": {"id": "\\ud800"}}', "/completion/id", "surrogate"),
        (b'{"label": {"completion": "\\ud800"}}', "/label/completion", "surrogate"),
    ],
)
def test_a_fault_has_its_place_and_its_reason(body: bytes, place: str, reason: str) -> None:
    found, why = fault(body)
    assert found == place
    assert reason in why


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"completion": "\\ud800"}', {"completion": "\ud800"}),
        (b'{"completion": "a\xffb"}', {"completion": "a\udcffb"}),
        (b'{"query": ["ok", "\\ude00\\ud83d"]}', {"query": ["ok", "\ude00\ud83d"]}),
        (b'{"rollouts": [{"completion": "\\ud800"}]}', {"rollouts": [{"completion": "\ud800"}]}),
        (b'{"id": "\\ud83d\\ude00"}', {"id": "😀"}),
    ],
)
def test_half_characters_are_let_through_in_what_the_model_wrote(body: bytes, value: object) -> None:
    assert decode(body) == value


def test_nesting_is_allowed_to_the_limit_and_not_beyond() -> None:
    value = decode(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    depth = 1
    while value:
        (value,), depth = value, depth + 1
    assert depth == MAX_DEPTH
    for levels in (MAX_DEPTH + 1, 5_000, 1_000_000):
        assert fault(b"[" * levels + b"]" * levels) == ("", "nested deeper than 1024 levels")
    assert fault(b'{"a":' * 5_000 + b"NaN" + b"}" * 5_000) == ("", "nested deeper than 1024 levels")


def test_the_limit_of_nesting_is_the_same_whatever_the_interpreter_allows() -> None:
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        assert fault(b"[" * MAX_DEPTH + b"NaN" + b"]" * MAX_DEPTH) == ("/0" * MAX_DEPTH, "not a finite number")
        for levels in (MAX_DEPTH + 1, 2_000):
            assert fault(b"[" * levels + b"]" * levels) == ("", "nested deeper than 1024 levels")
    finally:
        sys.setrecursionlimit(allowed)


def test_finding_a_fault_takes_memory_in_proportion_to_the_body() -> None:
    body = b"[" * 900 + b"1," * 20_000 + b"NaN" + b"]" * 900
    tracemalloc.start()
    try:
        assert fault(body) == ("/0" * 899 + "/20000", "not a finite number")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500 * len(body)
