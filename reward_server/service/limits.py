"""What a request may weigh, and how long it may take to arrive. Every limit names itself in the answer."""

import asyncio
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from reward_server.service.at_once import within
from reward_server.service.problems import Problem, unprocessable
from reward_server.settings import Settings

_LIST_BYTES, _KEY_BYTES, _VALUE_BYTES = 88, 110, 40
"""That Python takes for an empty list or object, for a short key and its place, and for a number or a short text."""
_MOST_WEIGHT = 6
_CONTAINERS = (dict, list)
"""A tuple, which `isinstance` looks through in a third of the time of a union."""
_LONGEST_LENGTH = 18
"""Digits of a Content-Length beyond which no limit can allow it."""


def declared_size(declared: bytes | None, settings: Settings) -> int:
    """Bytes that a request's body may have: its Content-Length, else the most allowed; a 413 Problem above that."""
    most = settings.max_body_bytes
    if declared is None:
        return most
    digits = declared.lstrip(b"0") or b"0"
    if len(digits) > _LONGEST_LENGTH or int(digits) > most:
        raise _too_large(f"{digits[:_LONGEST_LENGTH].decode()} bytes declared", most)
    return int(digits)


class Body:
    """A request's body as it arrives."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self._request = request
        self._settings = settings
        self._deadline: float | None = None
        self.size = 0
        """Bytes that have arrived."""
        self.is_whole = False

    async def read(self, most: int) -> list[bytes]:
        """What comes next of it, until it is whole, or has more than `most` bytes; at least one piece, perhaps empty.

        Raises a 413 Problem as soon as the body is longer than allowed, a 408 Problem when it takes too long, and
        ClientDisconnect when its client leaves.
        """
        try:
            return await within(self._in_time, self._pieces(most))
        except TimeoutError:
            raise _too_slow(self.size, self._settings) from None

    async def _pieces(self, most: int) -> list[bytes]:
        pieces = []
        while not self.is_whole and self.size <= most:
            message = await self._request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece: bytes = message.get("body", b"")
            self.is_whole = not message.get("more_body", False)
            self.size += len(piece)
            if self.size > self._settings.max_body_bytes:
                raise _too_large("more bytes arriving", self._settings.max_body_bytes)
            pieces.append(piece)
        return pieces

    def _in_time(self) -> asyncio.Timeout:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._settings.request_seconds
        return asyncio.timeout_at(self._deadline)


def check_weight(body: bytes, settings: Settings) -> None:
    """Raise a 422 Problem for JSON whose values would take far more memory than its bytes do.

    An estimate, above what they take, that looks at no more than how often some characters stand in the body.
    """
    most = _MOST_WEIGHT * settings.max_body_bytes
    if len(body) * _KEY_BYTES <= most:
        return
    lists = body.count(b"[") + body.count(b"{")
    keys = body.count(b'":')
    weight = _LIST_BYTES * lists + _KEY_BYTES * keys + _VALUE_BYTES * body.count(b",")
    if weight > most:
        reason = f"so many small values that they might take {weight:,} bytes of memory; {_MOST_WEIGHT} times"
        raise unprocessable(
            "over-limit", ("", f"{reason} REWARD_MAX_BODY_BYTES is the most: send fewer rollouts at once")
        )


def count_within(pointer: str, rollouts: object, settings: Settings) -> int:
    """How many rollouts a list has; 0 for what is no list. Raises a 422 Problem for more than one request may bring."""
    if not isinstance(rollouts, list):
        return 0
    if len(rollouts) > settings.max_rollouts:
        reason = f"{len(rollouts):,} rollouts; REWARD_MAX_ROLLOUTS allows {settings.max_rollouts:,} in one request"
        raise unprocessable("over-limit", (pointer, reason))
    return len(rollouts)


def check_length(pointer: str, length: int, settings: Settings) -> None:
    """Raise a 422 Problem for a field with too many characters."""
    if length > settings.max_field_chars:
        reason = f"{length:,} characters; REWARD_MAX_FIELD_CHARS allows {settings.max_field_chars:,}"
        raise unprocessable("over-limit", (pointer, reason))


def check_depth(message: dict[str, object], flat: Collection[str], settings: Settings) -> None:
    """Raise a 422 Problem for a message nested too deeply.

    `flat` names fields that are not looked into, because their type bounds their depth: they hold most of a message.
    Whatever their name, no values are nested deeper than `decoding.MAX_DEPTH`.
    """
    level: list[Any] = [message]
    for _ in range(settings.max_depth):
        level = [
            inner
            for outer in level
            for name, inner in (outer.items() if isinstance(outer, dict) else enumerate(outer))
            if isinstance(inner, _CONTAINERS) and name not in flat
        ]
        if not level:
            return
    reason = f"nested deeper; REWARD_MAX_DEPTH allows {settings.max_depth} levels"
    raise unprocessable("over-limit", ("", reason))


def _too_large(what: str, most: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body-too-large",
        [("", f"{what}; REWARD_MAX_BODY_BYTES allows {most:,}")],
    )


def _too_slow(size: int, settings: Settings) -> Problem:
    reason = f"{size:,} bytes of the body came; REWARD_REQUEST_SECONDS allows {settings.request_seconds:g} s for all"
    return Problem(HTTPStatus.REQUEST_TIMEOUT, "too-slow", [("", reason)], headers={"Connection": "close"})
