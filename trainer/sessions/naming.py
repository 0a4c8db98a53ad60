"""What an element is called: the published recipe of UXAgent (arXiv 2504.09407)."""

import re
from unicodedata import category

MAX_SLUG = 20
"""Most characters of a slug."""

_NO_WORD = re.compile(r"\W+", re.ASCII)
_ENOUGH = 200
"""Characters of a text that nearly always make a whole slug."""


def slug(text: str, *, unicode_names: bool = False) -> str:
    """The text in lower case, runs of characters that are no word characters as `_`, none at either end, then cut.

    Word characters are those of JavaScript's `\\w`, ASCII letters, digits and `_`; with `unicode_names` the letters,
    marks and digits of every script. "" where the text has none. As published, the cut may leave a `_` at the end.
    """
    words = _words(text[:_ENOUGH], unicode_names)
    if len(words) <= MAX_SLUG and len(text) > _ENOUGH:
        words = _words(text, unicode_names)
    return words[:MAX_SLUG]


def _words(text: str, unicode_names: bool) -> str:
    text = text.lower()
    if unicode_names and not text.isascii():
        text = "".join(c if c.isalnum() or c == "_" or category(c)[0] == "M" else " " for c in text)
        return "_".join(text.split()).strip("_")
    return _NO_WORD.sub("_", text).strip("_")


class UniqueNames:
    """Gives every name once: a clash gets the first free numeric suffix, `name`, `name1`, `name2`, …"""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, name: str) -> str:
        """The name, or the name with a suffix."""
        if name not in self._taken:
            self._taken.add(name)
            return name
        number = self._next.get(name, 1)
        while (suffixed := f"{name}{number}") in self._taken:
            number += 1
        # Suffixes once taken stay taken, so the search goes on from here: many elements of one name cost linear time.
        self._next[name] = number + 1
        self._taken.add(suffixed)
        return suffixed
