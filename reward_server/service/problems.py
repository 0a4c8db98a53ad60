"""Errors as RFC 9457 `application/problem+json`, each with a `pointer` to the field at fault.

A pointer into the body is a JSON pointer (`/rollouts/3/label/type`); `?spec` names a query parameter, `If-Match:` a
header.
"""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel

from reward_server import scoring
from reward_server.certainty.source import SourceError, SourceMismatch, SourceUnavailable
from reward_server.decoding import JsonPath, pointer

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 20
"""How many faults of one request an answer lists."""

_LONGEST_DETAIL = 500
_RETRY_AFTER = "5"


class Fault(BaseModel):
    """One thing wrong with a request."""

    pointer: str
    """Where: a JSON pointer into the body, `?parameter`, or `Header:`."""
    detail: str
    """Why it cannot be used."""


class ProblemBody(BaseModel):
    """The body of every error."""

    type: str
    """`urn:shop-r1:problem:` and the kind of the problem; docs/api.md lists them all."""
    title: str
    status: int
    detail: str
    pointer: str
    """The first fault's."""
    errors: list[Fault]
    """All faults found, up to 20."""


class Problem(Exception):
    """A request that gets no score."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        faults: Sequence[tuple[str, str]],
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """`faults` are (pointer, detail) pairs, at least one; `members` are further members of the body."""
        self.status = status
        self.kind = kind
        self.faults = [(pointer, shorten(detail)) for pointer, detail in faults[:MOST_ERRORS]]
        super().__init__(self.faults[0][1])
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def response(self) -> Response:
        """The answer that tells the client."""
        pointer, detail = self.faults[0]
        body = {
            "type": f"urn:shop-r1:problem:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status.value,
            "detail": detail,
            "pointer": pointer,
            "errors": [{"pointer": where, "detail": why} for where, why in self.faults],
            **self.members,
        }
        return Response(orjson.dumps(body), self.status, self.headers, MEDIA_TYPE)


def shorten(text: str) -> str:
    """At most 500 characters, so that no answer repeats a megabyte of its request."""
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"


def certainty_problem(error: SourceError) -> Problem:
    """A 503: the certainty source cannot tell what the spec needs, and a batch is never scored without it."""
    faults = [("", str(error))]
    if isinstance(error, SourceUnavailable):
        headers = {"Retry-After": _RETRY_AFTER}
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "certainty-unavailable", faults, headers=headers)
    if isinstance(error, SourceMismatch):
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "certainty-mismatch", faults)
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "certainty-failed", faults)


def refused_batch(error: scoring.BatchError, locate: Callable[[scoring.Fault], JsonPath]) -> Problem:
    """A 422: labels or evidence of certainty that nothing can be scored by; `locate` tells where a fault stands."""
    faults = [(pointer(locate(fault)), fault.reason) for fault in error.faults]
    return unprocessable("bad-label" if error.faults[0].path[0] == "label" else "bad-certainty", *faults)


def unprocessable(kind: str, *faults: tuple[str, str]) -> Problem:
    """A 422: the request itself is wrong, and sending it again will not help."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, kind, faults)
