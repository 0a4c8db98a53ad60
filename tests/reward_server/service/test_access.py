"""Who may see what scores nothing: metrics and the API document, open, behind the key, or off."""

import pytest

from tests.reward_server.service.support import PLAIN, assert_refused, assert_still_scores
from tests.servers import Server, running_server

KEY = {"Authorization": "Bearer key-of-16-letters"}


def test_a_route_behind_the_key_asks_for_it() -> None:
    settings = {"REWARD_METRICS": "key", "REWARD_DOCS": "key", "REWARD_API_KEYS": "key-of-16-letters"}
    with running_server(*PLAIN, **settings) as server:
        for path in ("/metrics", "/openapi.json"):
            assert_refused(server.get(path), 401, "unauthorized", "Authorization:")
            assert server.get(path, headers=KEY).status_code == 200
        assert [server.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_a_route_that_is_off_is_not_there_with_or_without_a_key() -> None:
    with running_server(*PLAIN, REWARD_METRICS="off", REWARD_DOCS="off", REWARD_API_KEYS="key-of-16-letters") as server:
        for path in ("/metrics", "/openapi.json"):
            for headers in ({}, KEY):
                assert_refused(server.get(path, headers=headers), 404, "not-found", "")
        assert "/metrics" not in server.banner
        assert "/openapi.json" not in server.banner


def test_by_default_both_are_open(server: Server) -> None:
    assert [server.get(path).status_code for path in ("/metrics", "/openapi.json")] == [200, 200]
    assert_still_scores(server)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
def test_there_are_no_pages_that_load_scripts_from_elsewhere(server: Server, path: str) -> None:
    assert_refused(server.get(path), 404, "not-found", "")
