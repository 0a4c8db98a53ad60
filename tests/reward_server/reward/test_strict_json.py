"""One JSON object, strictly; every shortcut of the fast path must agree with a slow reading."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward.strict_json import MAX_DEPTH, DuplicateKeyError, ExtraTextError, NotJSONError, load_object

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["a:b", '"', "\\", ":", '":'])
values = st.recursive(
    texts | st.integers(-(10**6), 10**6) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)


def without_numbers(value: Any) -> Any:
    """Numbers may lose their value on the slow path; nothing in a completion uses one."""
    if isinstance(value, dict):
        return {key: without_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_numbers(item) for item in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value


@given(objects, st.booleans(), st.sampled_from([None, 2]))
def test_every_object_that_json_writes_is_read_back(
    written: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(written, ensure_ascii=ascii_only, indent=indent)
    assert without_numbers(load_object(text)) == without_numbers(written)


@given(
    st.dictionaries(texts, texts | st.dictionaries(texts, texts, max_size=2), min_size=1, max_size=3),
    st.booleans(),
    st.data(),
)
def test_a_key_given_twice_is_always_noticed(written: dict[str, Any], ascii_only: bool, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(written)))
    first = {key: data.draw(texts)}
    pairs = [json.dumps(part, ensure_ascii=ascii_only)[1:-1] for part in (first, written)]
    with pytest.raises(DuplicateKeyError):
        load_object("{" + ", ".join(pairs) + "}")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "x", "a": "x"}',
        '{"a": "x", "\\u0061": "x"}',
        '{"a": {"b": "1", "b": "2"}}',
        '{"a": [{"b": 1, "b": 2}]}',
        '{"a": "\\u003a", "a": ""}',  # an escaped colon hides one key from a count of colons
        '{"a\\u003A": "", "a:": ""}',
    ],
)
def test_a_duplicate_key_counts_at_every_level_and_in_every_spelling(text: str) -> None:
    with pytest.raises(DuplicateKeyError):
        load_object(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json here",
        '{"a": 1',
        '{"a": 1,}',
        "{'a': 1}",
        "{a: 1}",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 01}',
        '{"a": +1}',
        '{"a": .5}',
        '{"a": 1 /* one */}',
        '{"a": "line\nbreak"}',
        '{"a": "\\x41"}',
        '{"a": "\\ud800"}',
        '{"a": "\\udc00"}',
        '{"\\udc00": "a"}',
        '{"a": "\ud800"}',
        "[1, 2]",
        "null",
        '{"a": 1, "a": 2,}',
    ],
)
def test_what_is_not_strictly_an_object_is_refused(text: str) -> None:
    with pytest.raises(NotJSONError):
        load_object(text)


@pytest.mark.parametrize(
    "text", ['Sure! {"a": 1}', '{"a": 1} done', '{"a": 1}{"a": 1}', '[{"a": 1}]', '"{}"', '{"a": "b", "a": "c"} x']
)
def test_an_object_with_other_text_around_it_is_told_apart_from_none(text: str) -> None:
    with pytest.raises(ExtraTextError):
        load_object(text)


def test_a_surrogate_pair_is_one_character() -> None:
    assert load_object('{"a": "\\ud83d\\ude00", "b": 1}') == {"a": "😀", "b": 0}


@pytest.mark.parametrize("number", ["1" * 1_000_000, "-0", "1e999", "1E-999", "0.1" + "0" * 10_000])
def test_numbers_of_any_size_are_legal(number: str) -> None:
    assert load_object(f'{{"a": {number}, "b": "x"}}')["b"] == "x"


def test_nesting_is_legal_up_to_the_limit_and_no_further() -> None:
    def nested(levels: int) -> str:
        return '{"a": ' + "[" * (levels - 1) + "]" * (levels - 1) + "}"

    assert "a" in load_object(nested(MAX_DEPTH))
    for levels in (MAX_DEPTH + 1, 1_000, 10_000, 100_000):
        with pytest.raises(NotJSONError):
            load_object(nested(levels))


def test_brackets_inside_strings_are_not_nesting() -> None:
    assert load_object('{"a": "' + '[\\"' * 10_000 + '", "b": 1}')["b"] == 0


def test_a_text_cut_inside_a_string_is_refused_however_long_it_is() -> None:
    with pytest.raises(NotJSONError):
        load_object('{"a": "' + "\\\\" * 1_000_000)
