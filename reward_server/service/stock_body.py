"""The body that stock OpenRLHF posts, read without decoding its page.

It is one rollout, with a page of 100 KB twice: once in `query`, before the completion, once in `prompts`. A group's
rollouts bring the same page again. Comparing bytes takes a tenth of the time that decoding them takes, so a page that
came before is only compared; a body of any other form is left to whoever reads all forms.
"""

from collections import OrderedDict
from typing import NamedTuple

import orjson

_HEAD, _MIDDLE, _TAIL = b'{"query": ["', b'"], "prompts": ["', b'"], "labels": '
"""As `json.dumps` writes them. The inner quotes are no string's: in a string they would follow a backslash."""
_KEY_BYTES = 64
"""Of the page in three places, by which it is looked for before it is compared."""
_LEAST_PAGE = 4
"""Bytes of a page; three places in it are looked at."""
_BESIDE_PAGE = 640
"""Bytes that it takes to remember a page, however small, besides the page."""


_Key = tuple[int | bytes, ...]


class StockBody(NamedTuple):
    """What such a body says."""

    prompt: str
    completion: str
    label: object
    brackets: int
    """Lists and objects that the label may have: it is nested no deeper."""


class _Page(NamedTuple):
    raw: bytes
    """As JSON writes it."""
    text: str


class StockBodies:
    """Reads such bodies, and remembers pages of `most` bytes together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._pages: OrderedDict[_Key, _Page] = OrderedDict()

    @staticmethod
    def begins(body: bytes) -> bool:
        """Whether a body may be of this form."""
        return body.startswith(_HEAD)

    def read(self, body: bytes) -> StockBody | None:
        """What decoding the whole body would find; None for a body that is not of this form, or not sound."""
        if not self.begins(body):
            return None
        tail = body.rfind(_TAIL)
        # The page is in the first half of what is before the labels, and in the second: the middle is not before half.
        middle = body.find(_MIDDLE, (tail - len(_MIDDLE)) // 2, tail)
        start = middle + len(_MIDDLE)
        length = tail - start
        if middle < 0 or length < _LEAST_PAGE:
            return None
        page = self._page(body, start, tail)
        after = len(_HEAD) + length
        if page is None or after > middle or not body.startswith(page.raw, len(_HEAD)):
            return None
        try:
            completion = orjson.loads(b'"' + body[after : middle + 1])
            labels = orjson.loads(body[tail + len(_TAIL) : -1])
        except orjson.JSONDecodeError:
            return None
        if body[-1:] != b"}" or not isinstance(labels, list) or len(labels) != 1:
            return None
        brackets = body.count(b"[", tail) + body.count(b"{", tail)
        return StockBody(page.text, completion, labels[0], brackets)

    def _page(self, body: bytes, start: int, end: int) -> _Page | None:
        """What stands there; None for what is no string's inside."""
        # Templates end all pages alike.
        quarter = (end - start) // 4
        places = (start + quarter, start + 2 * quarter, start + 3 * quarter)
        key: _Key = (end - start, *[body[place : place + _KEY_BYTES] for place in places])
        page = self._pages.get(key)
        if page is not None and body.startswith(page.raw, start):
            self._pages.move_to_end(key)
            return page
        raw = body[start:end]
        try:
            text = orjson.loads(body[start - 1 : end + 1])
        except orjson.JSONDecodeError:
            return None
        page = _Page(raw, text)
        self._remember(key, page)
        return page

    def _remember(self, key: _Key, page: _Page) -> None:
        if (known := self._pages.pop(key, None)) is not None:
            self._size -= _size(known)
        self._pages[key] = page
        self._size += _size(page)
        while self._size > self._most:
            _, oldest = self._pages.popitem(last=False)
            self._size -= _size(oldest)


def _size(page: _Page) -> int:
    return page.raw.__sizeof__() + page.text.__sizeof__() + _BESIDE_PAGE
