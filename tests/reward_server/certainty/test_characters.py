"""Where a rationale's characters stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.certainty.characters import rationale_characters

ACTION = '"action": {"type": "click", "name": "a"}'


def value(completion: str) -> str:
    return completion[slice(*rationale_characters(completion))]


@pytest.mark.parametrize(
    ("completion", "rationale"),
    [
        (f'{{"rationale": "I buy it.", {ACTION}}}', "I buy it."),
        (f'{{{ACTION}, "rationale": "last"}}', "last"),
        (f'{{"rationale": "", {ACTION}}}', ""),
        (f'{{"rationale": "a \\"b\\" \\\\", {ACTION}}}', 'a \\"b\\" \\\\'),
        (f'{{"ration\\u0061le"\n:\t"escaped key", {ACTION}}}', "escaped key"),
        (f'  {{ "rationale" : "rationale\\": 1" , {ACTION} }} <|im_end|>', 'rationale\\": 1'),
        (f'```json\n{{"rationale": "fenced", {ACTION}}}\n```', "fenced"),
        (f'{{"rationale": "日本 😀 \\ud83d\\ude00", {ACTION}}}', "日本 😀 \\ud83d\\ude00"),
        ('{"action": {"type": "t", "rationale": "inner", "n": [1e999, -0, {}]}, "rationale": "outer"}', "outer"),
        (f'{{"action": {{"type": "t", "n": {"9" * 5000}}}, "rationale": "after digits"}}', "after digits"),
    ],
)
def test_the_value_stands_between_its_quotes_as_it_is_written(completion: str, rationale: str) -> None:
    assert value(completion) == rationale


@given(st.text(), st.booleans(), st.booleans())
def test_what_it_finds_is_what_json_reads(text: str, as_ascii: bool, last: bool) -> None:
    parts = {"rationale": text, "action": {"type": "click", "rationale": "no"}}
    ordered = dict(reversed(parts.items())) if last else parts
    completion = json.dumps(ordered, ensure_ascii=as_ascii)
    assert json.loads(f'"{value(completion)}"') == text


@pytest.mark.parametrize("completion", ["no object", '{"rationale": 5}', '{"action": {}}', ""])
def test_what_is_no_completion_has_no_rationale(completion: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        rationale_characters(completion)
