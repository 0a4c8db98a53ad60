"""Answers that name the spec they are about."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

import orjson
from fastapi import Response

from reward_server.reward.spec import RewardSpec


def etag(spec: RewardSpec) -> str:
    """The `ETag` of whatever a spec scores."""
    return f'"{spec.digest}"'


def json_answer(answer: Mapping[str, object], spec: RewardSpec, headers: Mapping[str, str] | None = None) -> "Answer":
    """An answer whose ETag says which spec scored."""
    return Answer(orjson.dumps(answer), tuple({"ETag": etag(spec), **(headers or {})}.items()))


class Answer(Response):
    """Some JSON, of headers that most answers have: looking through them takes Response as long as sending them."""

    def __init__(self, body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        self.status_code = HTTPStatus.OK
        self.background = None
        self.body = body
        self._given = headers

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override]
        """As ASGI has them."""
        return [*_raw(self._given), (b"content-length", b"%d" % len(self.body))]

    @property
    def head(self) -> bytes:
        """As HTTP/1.1 has them, each with its line's end."""
        return b"%bcontent-length: %d\r\n" % (_written(self._given), len(self.body))


@lru_cache(maxsize=256)
def _raw(headers: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    pairs = (("Content-Type", "application/json"), *headers)
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


@lru_cache(maxsize=256)
def _written(headers: tuple[tuple[str, str], ...]) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in _raw(headers))
