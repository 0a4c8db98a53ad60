"""Answers that name the spec they are about."""

from collections.abc import Mapping

import orjson
from fastapi import Response

from reward_server.reward.spec import RewardSpec


def etag(spec: RewardSpec) -> str:
    """The `ETag` of whatever a spec scores."""
    return f'"{spec.digest}"'


def json_answer(answer: Mapping[str, object], spec: RewardSpec, headers: Mapping[str, str] | None = None) -> Response:
    """An answer whose ETag says which spec scored."""
    return Response(
        orjson.dumps(answer), headers={"ETag": etag(spec), **(headers or {})}, media_type="application/json"
    )
