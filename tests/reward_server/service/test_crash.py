"""A bug of ours is an error that a trainer retries, never a reward; the one place where a fault is planted."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from reward_server.scoring import Rollout, Scored, Scorer
from reward_server.service.app import create_app
from reward_server.service.state import create_state, read_specs
from reward_server.settings import Settings
from tests.reward_server.service.support import batch, rollout


def crashing(_self: Scorer, _rollouts: Sequence[Rollout]) -> list[Scored]:
    raise RuntimeError("secret of the house")


def test_a_crash_is_a_500_that_tells_the_client_nothing_but_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scorer, "score_at_once", crashing)
    settings = Settings(spec="binary", certainty="none")
    app = create_app(create_state(settings, read_specs(settings)))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post("/score", json=batch(rollout()))

    response = asyncio.run(ask())
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:shop-r1:problem:internal"
    assert "secret" not in response.text
