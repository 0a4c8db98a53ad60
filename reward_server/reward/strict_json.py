"""One JSON object, strictly as RFC 8259 has it: no NaN, no duplicate keys, no half characters, bounded depth.

orjson is the fast way in and decides most texts. What it cannot decide (duplicate keys, integers beyond a double, deep
nesting, why a text failed) goes to the standard library's scanner with hooks, which is then the authority.
"""

import json
import re
from collections import Counter
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 128

_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_COLON_ESCAPE = "\\u003"


class NotJSONError(ValueError):
    """The text holds no complete JSON object."""


class ExtraTextError(ValueError):
    """A JSON object with other text before or after it."""


class DuplicateKeyError(ValueError):
    """A JSON object in which some object names a key twice; carries that key."""


def load_object(text: str) -> dict[str, Any]:
    """The JSON object that `text` is, white space around it aside.

    Raises NotJSONError, ExtraTextError or DuplicateKeyError. Numbers of any size are legal; their values may be lost.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _load_slowly(text)
    return value if type(value) is dict and _is_plain(value, text) else _load_slowly(text)


def _is_plain(value: dict[str, Any], text: str) -> bool:
    """Whether `value` is at most two objects deep, all else strings, and `text` proves that no key was given twice.

    Every key of the text has one colon; a text with no more colons than the parsed keys and strings account for has no
    second key. Escaped colons would spoil the count, so texts with such an escape are not plain.
    """
    if "\\" in text and _COLON_ESCAPE in text:
        return False
    colons = 0
    for key, item in value.items():
        colons += 1 + key.count(":")
        if type(item) is str:
            colons += item.count(":")
        elif type(item) is dict:
            for inner_key, inner in item.items():
                if type(inner) is not str:
                    return False
                colons += 1 + inner_key.count(":") + inner.count(":")
        else:
            return False
    return text.count(":") == colons


def _load_slowly(text: str) -> dict[str, Any]:
    start = text.find("{")
    if start < 0:
        raise NotJSONError("no JSON object in the text")
    duplicates: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            duplicates.append(next(key for key, count in counts.items() if count > 1))
        return built

    if _depth(text, start) > MAX_DEPTH:
        raise NotJSONError(f"nested deeper than {MAX_DEPTH} levels")
    decoder = json.JSONDecoder(object_pairs_hook=build, parse_int=_number, parse_float=_number, parse_constant=_refuse)
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise NotJSONError(str(error)) from None
    if (_SURROGATE_ESCAPE.search(text) or not text.isascii()) and _SURROGATE.search(
        json.dumps(value, ensure_ascii=False)
    ):
        raise NotJSONError("half of a surrogate pair is not a character")
    if text[:start].strip() or text[end:].strip():
        raise ExtraTextError("other text around the JSON object")
    if duplicates:
        raise DuplicateKeyError(duplicates[0])
    return dict(value)


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
