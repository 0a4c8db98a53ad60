"""One JSON object, strictly as RFC 8259 has it: no NaN, no duplicate keys, no half characters, bounded depth.

The standard library's scanner does the reading, with hooks for what it lets through. It is slow beside orjson, but it
tells all there is to tell; who reads many texts tries orjson first.
"""

import json
import re
from collections import Counter
from itertools import accumulate, takewhile
from typing import Any, NoReturn

MAX_DEPTH = 128

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"{[]}"))
_STEPS = bytes.maketrans(b"{[]}", b"\x01\x01\xff\xff")
"""How much deeper each bracket leads, as a signed byte."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class NotJSONError(ValueError):
    """The text holds no complete JSON object."""


class ExtraTextError(ValueError):
    """A JSON object with other text before or after it."""


class DuplicateKeyError(ValueError):
    """A JSON object in which some object names a key twice; carries that key."""


def load_object(text: str) -> dict[str, Any]:
    """The JSON object that `text` is, white space around it aside.

    Raises NotJSONError, ExtraTextError or DuplicateKeyError. Numbers of any size are legal; their values are not kept.
    """
    start = text.find("{")
    if start < 0:
        raise NotJSONError("no JSON object in the text")
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_too_deep(text, start):
        raise NotJSONError(f"nested deeper than {MAX_DEPTH} levels")
    repeated = None
    try:
        try:
            value, end = _STRICT.raw_decode(text, start)
        except DuplicateKeyError as error:
            # Only a complete object can name a key twice: what follows may still be no JSON.
            repeated = error
            value, end = _LENIENT.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise NotJSONError(f"{error.msg} at character {error.pos + 1}") from None
    if (_SURROGATE_ESCAPE.search(text) or not text.isascii()) and _SURROGATE.search(
        json.dumps(value, ensure_ascii=False)
    ):
        raise NotJSONError("half of a surrogate pair is not a character")
    if text[:start].strip() or text[end:].strip():
        raise ExtraTextError("other text around the JSON object")
    if repeated:
        raise repeated
    return dict(value)


def _is_too_deep(text: str, start: int) -> bool:
    """Whether brackets outside strings nest deeper than `MAX_DEPTH`, from `start` to where the first bracket closes."""
    steps = _STRING.sub("", text[start:]).encode(errors="replace").translate(_STEPS, _NO_BRACKETS)
    # Without a line of Python for each bracket, of which a hostile text has millions.
    depths = takewhile(bool, accumulate(memoryview(steps).cast("b")))
    return any(map(MAX_DEPTH.__lt__, depths))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) < len(pairs):
        raise DuplicateKeyError(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return built


def _number(_digits: str) -> float:
    return 0.0


def _refuse(constant: str) -> NoReturn:
    raise NotJSONError(f"{constant} is not JSON")


_LENIENT = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_refuse)
_STRICT = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_refuse, object_pairs_hook=_unique)
