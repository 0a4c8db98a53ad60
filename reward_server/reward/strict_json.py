"""One JSON object, strictly as RFC 8259 has it: no NaN, no duplicate keys, no half characters, bounded depth.

The standard library's scanner does the reading, with hooks for what it lets through. It is slow beside orjson, but it
tells all there is to tell; who reads many texts tries orjson first.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

MAX_DEPTH = 128

_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJSONError(ValueError):
    """The text holds no complete JSON object."""


class ExtraTextError(ValueError):
    """A JSON object with other text before or after it."""


class DuplicateKeyError(ValueError):
    """A JSON object in which some object names a key twice; carries that key."""


class _Repetitive(dict[str, Any]):
    """An object that names a key twice; the standard library would keep the last value and say nothing."""

    repeated: str


def load_object(text: str) -> dict[str, Any]:
    """The JSON object that `text` is, white space around it aside.

    Raises NotJSONError, ExtraTextError or DuplicateKeyError. Numbers of any size are legal; their values are not kept.
    """
    start = text.find("{")
    if start < 0:
        raise NotJSONError("no JSON object in the text")
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text, start) > MAX_DEPTH:
        raise NotJSONError(f"nested deeper than {MAX_DEPTH} levels")
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise NotJSONError(f"{error.msg} at character {error.pos + 1}") from None
    if (_SURROGATE_ESCAPE.search(text) or not text.isascii()) and _SURROGATE.search(
        json.dumps(value, ensure_ascii=False)
    ):
        raise NotJSONError("half of a surrogate pair is not a character")
    if text[:start].strip() or text[end:].strip():
        raise ExtraTextError("other text around the JSON object")
    for item in _objects(value):
        if isinstance(item, _Repetitive):
            raise DuplicateKeyError(item.repeated)
    return dict(value)


def _build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) == len(pairs):
        return built
    repetitive = _Repetitive(built)
    repetitive.repeated = Counter(key for key, _ in pairs).most_common(1)[0][0]
    return repetitive


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _depth(text: str, start: int) -> int:
    """The deepest nesting of brackets outside strings, from `start` on; stops counting past MAX_DEPTH."""
    depth = deepest = 0
    for token in _STRUCTURE.finditer(text, start):
        character = text[token.start()]
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif character in "]}":
            depth -= 1
            if depth <= 0:
                break
    return deepest


def _number(_digits: str) -> float:
    return 0.0


def _refuse(constant: str) -> NoReturn:
    raise json.JSONDecodeError(f"{constant} is not JSON", constant, 0)


_DECODER = json.JSONDecoder(object_pairs_hook=_build, parse_int=_number, parse_float=_number, parse_constant=_refuse)
