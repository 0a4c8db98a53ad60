"""Checks a reward server before a run depends on it: reachable, ready, and scoring with the spec the run expects."""

from typing import Any, NamedTuple

import httpx

_TIMEOUT_SECONDS = 10.0


class PreflightError(Exception):
    """Why a run should not start; one sentence."""


class ServerFacts(NamedTuple):
    """What a server says of itself."""

    url: str
    server_version: str
    spec: str
    digest: str
    certainty_source: str


def check_server(url: str, *, digest: str | None = None, api_key: str | None = None) -> ServerFacts:
    """Ask the server at `url` (scheme and host, without a path) what it is.

    Raises PreflightError when it cannot be reached, is not ready, refuses the key, or scores with another spec than the
    one whose `digest` is given.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
        _get(client, "/readyz")
        version = _get(client, "/version")
    try:
        facts = ServerFacts(
            url,
            version["server_version"],
            version["spec"]["name"],
            version["spec"]["digest"],
            version["certainty"]["source"],
        )
    except (KeyError, TypeError):
        raise PreflightError(f"{url} answers, but not as a Shop-R1 reward server") from None
    if digest is not None and digest != facts.digest:
        raise PreflightError(f"{url} scores with {facts.spec} ({facts.digest}), not with the run's {digest}")
    return facts


def _get(client: httpx.Client, path: str) -> Any:
    try:
        response = client.get(path)
        body = response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PreflightError(f"{client.base_url} cannot be reached: {error}") from None
    except ValueError:
        raise PreflightError(f"{client.base_url} answers, but not as a Shop-R1 reward server") from None
    if response.is_success:
        return body
    detail = body.get("detail") if isinstance(body, dict) else None
    raise PreflightError(f"{client.base_url} answers {path} with {response.status_code}: {detail}")
