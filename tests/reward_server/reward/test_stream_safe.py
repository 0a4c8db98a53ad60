"""Normal forms of hostile text in linear time, and of real text as they are."""

import unicodedata

import pytest

from reward_server.reward.similarity import tokenize
from reward_server.reward.stream_safe import stream_safe


@pytest.mark.parametrize(
    "text",
    [
        "add_to_cart",
        "cafe\u0301 " * 100,
        "ワイヤレスイヤホン" * 20,
        "हिन्दी किताबें" * 10,
        "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f",
    ],
)
def test_real_text_comes_back_as_it_is(text: str) -> None:
    assert stream_safe(text) == text


@pytest.mark.parametrize("marks", ["\u0301" * 31, "\u0301\u0323" * 200, "\U0001d165" * 90])
def test_no_run_of_marks_is_longer_than_thirty(marks: str) -> None:
    safe = stream_safe(f"a{marks}b")
    assert safe.replace("\u034f", "") == f"a{marks}b"
    assert max(len(run) for run in safe.split("\u034f")) <= 31


def test_a_wall_of_marks_is_normalized_without_the_quadratic_sort() -> None:
    wall = "a" + "\u0301" * 500_000 + "\u0323" * 500_000
    assert len(unicodedata.normalize("NFC", stream_safe(wall))) > 900_000
    assert len(tokenize(wall, "unicode")) == 1
