"""Answers that name the spec they are about."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from fastapi import Response

from reward_server.reward.spec import RewardSpec


def etag(spec: RewardSpec) -> str:
    """The `ETag` of whatever a spec scores."""
    return f'"{spec.digest}"'


def json_answer(answer: Mapping[str, object], spec: RewardSpec, headers: Mapping[str, str] | None = None) -> Response:
    """An answer whose ETag says which spec scored."""
    return _JsonAnswer(orjson.dumps(answer), {"ETag": etag(spec), **(headers or {})})


class _JsonAnswer(Response):
    """Whose headers need no looking through: that takes Response as long as writing the body."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.status_code = HTTPStatus.OK
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *[(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        ]
