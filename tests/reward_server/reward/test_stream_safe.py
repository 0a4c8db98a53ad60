"""Normal forms of hostile text in linear time, and of real text as they are."""

import sys
import unicodedata

import pytest

from reward_server.reward.similarity import tokenize
from reward_server.reward.stream_safe import stream_safe

CHARACTERS = [chr(codepoint) for codepoint in range(0x80, sys.maxunicode + 1)]


def longest_run_of_marks(text: str) -> int:
    classes = "".join("m" if unicodedata.combining(character) else " " for character in text)
    return max(map(len, classes.split()), default=0)


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


def test_no_character_hides_a_long_run_of_marks_until_it_is_put_into_a_normal_form() -> None:
    for character in CHARACTERS:
        if unicodedata.combining(character) or not unicodedata.decomposition(character):
            continue
        normal = unicodedata.normalize("NFKD", stream_safe("a" + f"\u0316{character}\u0301" * 20))
        assert longest_run_of_marks(normal) <= 45, f"U+{ord(character):04X}"


@pytest.mark.parametrize("character", ["\u0f73", "\u0f75", "\u0f81", "\u0301\uff9e", "\u0f71\uff9f\u0f72"])
def test_a_wall_of_characters_that_become_marks_only_in_a_normal_form_is_no_slower(character: str) -> None:
    wall = "a" + character * 60_000
    assert longest_run_of_marks(unicodedata.normalize("NFKD", stream_safe(wall))) <= 62
    assert tokenize(wall, "unicode")
