"""What a request may weigh. Every limit names itself in the answer."""

from http import HTTPStatus

from fastapi import Request

from reward_server.service.problems import Problem, unprocessable
from reward_server.settings import Settings

_LONGEST_LENGTH = 18
"""Digits of a Content-Length beyond which no limit can allow it."""


async def read_body(request: Request, most: int) -> bytes:
    """The request's body; a 413 Problem as soon as it is known to exceed `most` bytes."""
    declared = request.headers.get("content-length", "").lstrip("0")
    if declared.isdecimal() and (len(declared) > _LONGEST_LENGTH or int(declared) > most):
        raise _too_large(f"{declared[:_LONGEST_LENGTH]} bytes declared", most)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large("more bytes arriving", most)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def check_count(pointer: str, rollouts: object, settings: Settings) -> None:
    """Raise a 422 Problem for a list of more rollouts than one request may bring."""
    if isinstance(rollouts, list) and len(rollouts) > settings.max_rollouts:
        reason = f"{len(rollouts):,} rollouts; REWARD_MAX_ROLLOUTS allows {settings.max_rollouts:,} in one request"
        raise unprocessable("over-limit", (pointer, reason))


def check_length(pointer: str, text: str, settings: Settings) -> None:
    """Raise a 422 Problem for a field with too many characters."""
    if len(text) > settings.max_field_chars:
        reason = f"{len(text):,} characters; REWARD_MAX_FIELD_CHARS allows {settings.max_field_chars:,}"
        raise unprocessable("over-limit", (pointer, reason))


def _too_large(what: str, most: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body-too-large",
        [("", f"{what}; REWARD_MAX_BODY_BYTES allows {most:,}")],
    )
