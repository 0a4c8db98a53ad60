"""Text whose normal forms take linear time: UAX #15, Stream-Safe Text Process."""

import re
import unicodedata

_MOST_MARKS = 30
_JOINER = "\u034f"

# Of class 0 themselves, these become marks in a normal form, and are sorted with those around them.
_MARKS_IN_DISGUISE = frozenset("\u0f73\u0f75\u0f81\uff9e\uff9f")

# Combining marks start at U+0300, so only such runs need a closer look. Told by what else there is, it compiles faster.
_CANDIDATES = re.compile(f"[^\0-\u02ff]{{{_MOST_MARKS + 1},}}")


def stream_safe(text: str) -> str:
    """The text, with a joiner after every 30 combining marks in a row.

    CPython sorts such a run in quadratic time: 60,000 marks would take it half a minute. No language stacks more than a
    few, so real text comes back as it is.
    """
    return text if text.isascii() else _CANDIDATES.sub(_break_up, text)


def _break_up(run: re.Match[str]) -> str:
    pieces, marks = [], 0
    for character in run[0]:
        is_mark = unicodedata.combining(character) or character in _MARKS_IN_DISGUISE
        marks = marks + 1 if is_mark else 0
        if marks > _MOST_MARKS:
            pieces.append(_JOINER)
            marks = 1
        pieces.append(character)
    return "".join(pieces)
