"""What a request to score says besides its body."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request
from starlette.datastructures import QueryParams

from reward_server.service.problems import Problem, unprocessable

_PARAMETERS = ("spec", "digest", "run")
"""What a URL may say, for trainers that can choose nothing else."""
_LONGEST_RUN_ID = 128
"""Characters of a run's name that metrics keep."""


class Call(NamedTuple):
    """A request to score. Of a header that stands twice, the first counts."""

    content_length: bytes | None
    spec: str | None
    pins: Sequence[tuple[str, str]]
    """Digests that the spec has to have, each with where it was asked for."""
    run: str
    """Which training run this belongs to; empty for none that is known."""


def read_call(request: Request) -> Call:
    """Read it. Raises a Problem: 415 for an encoded body, 422 for a parameter nobody reads, or that is given twice."""
    headers: dict[bytes, bytes] = dict(reversed(request.scope["headers"]))
    encoding = headers.get(b"content-encoding", b"").decode("latin-1")
    if encoding and encoding.strip().lower() not in ("", "identity"):
        reason = f"bodies are read as they come, none that is {encoding}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding", [("Content-Encoding:", reason)])
    parameters = _parameters(request) if request.scope["query_string"] else {}
    pins = []
    if (wanted := headers.get(b"if-match")) is not None:
        pins.append(("If-Match:", wanted.decode("latin-1")))
    if (digest := parameters.get("digest")) is not None:
        pins.append(("?digest", digest))
    named = headers.get(b"x-run-id")
    run = named.decode("latin-1")[:_LONGEST_RUN_ID] if named else parameters.get("run", "")[:_LONGEST_RUN_ID]
    return Call(headers.get(b"content-length"), parameters.get("spec"), pins, run)


def _parameters(request: Request) -> Mapping[str, str]:
    """Those of the URL. A misspelt `digest` would lose the pin without a word, so that nothing else may stand there."""
    found: QueryParams = request.query_params
    seen: dict[str, str] = {}
    for name, value in found.multi_items():
        if name not in _PARAMETERS:
            reason = f"no such parameter; there are {', '.join(_PARAMETERS)}"
            raise unprocessable("bad-request", (f"?{name[:80]}", reason))
        if name in seen:
            raise unprocessable("bad-request", (f"?{name}", "given twice"))
        seen[name] = value
    return seen
