"""Untrusted JSON bytes -> Python values, or one error that names the place and the reason.

orjson decodes what is sound. What it refuses is read again, leniently, only to find out where the fault lies: inside a
model's own text it is the model's doing and is kept for the scorer to judge; anywhere else it is the caller's.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import orjson

MAX_DEPTH = 1024
"""Levels of nesting that a request may have; orjson's own limit."""

JsonPath = tuple[str | int, ...]

_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_NOT_UNICODE = "not valid Unicode: half of a surrogate pair, or bytes that are not UTF-8"
_SURROGATE = re.compile("[\ud800-\udfff]")


class DecodeError(ValueError):
    """Bytes that are not a JSON value we take; `pointer` is the JSON pointer (RFC 6901) of the fault, "" for all."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(reason)
        self.pointer = pointer
        self.reason = reason


class EncodingError(DecodeError):
    """JSON whose texts are not Unicode: half a surrogate pair, or bytes that are not UTF-8."""


def decode(body: bytes) -> Any:
    """The JSON value in `body`: a request in either dialect, one rollout, or one session. Raises DecodeError.

    Half surrogate pairs and bytes that are not UTF-8 are let through where a model's text stands, and only there: in
    the `completion` of a rollout, and in OpenRLHF's `query`.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _decode_leniently(body)
    for path, fault, error in _faults(value):
        raise error(pointer(path), fault)
    return value


def pointer(path: JsonPath) -> str:
    """The JSON pointer (RFC 6901) of a path of keys and indexes, in printable Unicode."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts).encode(errors="replace").decode()


def _decode_leniently(body: bytes) -> Any:
    text = body.decode(errors="surrogateescape")
    try:
        return json.loads(text, parse_int=_read_integer)
    except RecursionError:
        raise DecodeError("", _TOO_DEEP) from None
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise DecodeError("", reason if body else "the body is empty; a JSON object is needed") from None


def _read_integer(digits: str) -> int | float:
    """Integers too long for Python's conversion limit are no numbers anyone can use."""
    return int(digits) if len(digits) < 400 else inf


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a JSON value, linked to the one around it: deep values have long paths, and many of them."""

    around: "_Place | None"
    key: str | int
    depth: int

    def path(self) -> JsonPath:
        keys: list[str | int] = []
        place: _Place | None = self
        while place is not None:
            keys.append(place.key)
            place = place.around
        return tuple(reversed(keys))


def _faults(value: Any) -> Iterator[tuple[JsonPath, str, type[DecodeError]]]:
    """What no caller may send, with its place and its kind; in no particular order."""
    stack: list[tuple[_Place | None, Any]] = [(None, value)]
    while stack:
        place, item = stack.pop()
        depth = place.depth + 1 if place else 1
        if isinstance(item, dict | list) and depth > MAX_DEPTH:
            yield (), _TOO_DEEP, DecodeError
        elif isinstance(item, dict):
            for key, inner in item.items():
                if _SURROGATE.search(key):
                    yield _path(place), "a key is not valid Unicode", EncodingError
                if not _is_sound(inner):
                    stack.append((_Place(place, key, depth), inner))
        elif isinstance(item, list):
            stack.extend(
                (_Place(place, index, depth), inner) for index, inner in enumerate(item) if not _is_sound(inner)
            )
        elif isinstance(item, float):
            yield _path(place), "not a finite number", DecodeError
        elif isinstance(item, str) and not _is_model_text(_path(place)):
            yield _path(place), _NOT_UNICODE, EncodingError


def _is_sound(item: Any) -> bool:
    """Whether nothing can be wrong with a value, wherever it stands: most values, so that they are not kept."""
    if isinstance(item, dict | list):
        return False
    if isinstance(item, float):
        return isfinite(item)
    return not isinstance(item, str) or not _SURROGATE.search(item)


def _path(place: _Place | None) -> JsonPath:
    return place.path() if place else ()


def _is_model_text(path: JsonPath) -> bool:
    """Whether a model's text stands there."""
    match path:
        case ("completion",) | ("rollouts", int(), "completion") | ("query", int()):
            return True
    return False
