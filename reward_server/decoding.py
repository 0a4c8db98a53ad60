"""Untrusted JSON bytes -> Python values, or one error that names the place and the reason.

orjson decodes what is sound. What it refuses is read again, leniently, only to find out where the fault lies: inside a
model's own text it is the model's doing and is kept for the scorer to judge; anywhere else it is the caller's.
"""

import json
import re
from collections.abc import Iterator
from math import inf, isfinite
from typing import Any

import orjson

MAX_DEPTH = 1024
"""Levels of nesting that a request may have; orjson's own limit."""

MODEL_TEXT = frozenset({"completion", "query"})
"""Keys under which a model's text stands, in the native and in the OpenRLHF dialect."""

Path = tuple[str | int, ...]

_SURROGATE = re.compile("[\ud800-\udfff]")


class DecodeError(ValueError):
    """Bytes that are not a JSON value we take; `pointer` is the JSON pointer (RFC 6901) of the fault, "" for all."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(reason)
        self.pointer = pointer
        self.reason = reason


def decode(body: bytes) -> Any:
    """The JSON value in `body`. Raises DecodeError.

    Half surrogate pairs and bytes that are not UTF-8 are let through inside a model's text (MODEL_TEXT) only.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _decode_leniently(body)
    for path, fault in _faults(value):
        raise DecodeError(pointer(path), fault)
    return value


def pointer(path: Path) -> str:
    """The JSON pointer (RFC 6901) of a path of keys and indexes, in printable Unicode."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts).encode(errors="replace").decode()


def _decode_leniently(body: bytes) -> Any:
    text = body.decode(errors="surrogateescape")
    try:
        return json.loads(text, parse_int=_read_integer)
    except RecursionError:
        raise DecodeError("", f"nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise DecodeError("", reason if body else "the body is empty; a JSON object is needed") from None


def _read_integer(digits: str) -> int | float:
    """Integers too long for Python's conversion limit are no numbers anyone can use."""
    return int(digits) if len(digits) < 400 else inf


def _faults(value: Any) -> Iterator[tuple[Path, str]]:
    """What no caller may send, with its place; in no particular order."""
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if len(path) > MAX_DEPTH:
            yield (), f"nested deeper than {MAX_DEPTH} levels"
        elif isinstance(item, dict):
            for key, inner in item.items():
                if _SURROGATE.search(key):
                    yield path, "a key is not valid Unicode"
                stack.append(((*path, key), inner))
        elif isinstance(item, list):
            stack.extend(((*path, index), inner) for index, inner in enumerate(item))
        elif isinstance(item, float) and not isfinite(item):
            yield path, "not a finite number"
        elif isinstance(item, str) and not _is_model_text(path) and _SURROGATE.search(item):
            yield path, "not valid Unicode: half of a surrogate pair, or bytes that are not UTF-8"


def _is_model_text(path: Path) -> bool:
    return next((part for part in reversed(path) if isinstance(part, str)), None) in MODEL_TEXT
