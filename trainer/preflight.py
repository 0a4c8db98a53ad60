"""Checks a reward server before anybody depends on it: reachable, ready, and scoring with the spec that is expected."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from reward_server.client import RewardError, TlsFiles
from reward_server.client.options import is_loopback
from reward_server.client.tls import tls_context

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


class Answers(NamedTuple):
    """What a ready server answered."""

    facts: ServerFacts
    version: Any
    """To /version."""
    spec: Any
    """To /specs/NAME; None where no spec was named."""


class Access(NamedTuple):
    """What opens a server."""

    api_key: str | None = None
    tls: TlsFiles = TlsFiles()

    def to(self, url: str, urls: Sequence[str]) -> "Access":
        """What opens `url`: of several `urls` the files are for those with https, if any has it."""
        return self if _is_https(url) or not any(map(_is_https, urls)) else self._replace(tls=TlsFiles())


NO_KEY = Access()


def check_servers(urls: Sequence[str], *, digest: str | None = None, access: Access = NO_KEY) -> list[ServerFacts]:
    """Ask the servers at `urls` what they are and what would score; one, or several that have to score alike.

    A URL may be the one a trainer is given, with `/score` and with `?spec=` and `?digest=`, which are then checked.
    Raises PreflightError when one cannot be reached, is not ready, refuses the key, or scores with another spec than
    the one whose `digest` is given, or than the others. Neither the facts nor an error repeat a key, be it the
    `access`'s or part of a URL.
    """
    found = []
    for url in urls:
        facts = ask_server(url, access=access.to(url, urls)).facts
        for wanted in (digest, httpx.URL(url).params.get("digest")):
            if wanted is not None and wanted != facts.digest:
                raise PreflightError(
                    f"{facts.url} scores with {facts.spec} ({facts.digest}), not with the run's {wanted}"
                )
        found.append(facts)
    check_digests(found)
    return found


def check_digests(servers: Sequence[ServerFacts]) -> None:
    """Raise PreflightError where two servers of one run score with different specs."""
    first, *others = servers
    for other in others:
        if other.digest != first.digest:
            raise PreflightError(
                f"{first.url} scores with {first.spec} ({first.digest}), but {other.url} with {other.spec} "
                f"({other.digest})"
            )


def ask_server(url: str, *, spec: str | None = None, access: Access = NO_KEY) -> Answers:
    """What a ready server says of itself, and of the `spec`, or of the one in `url`, in place of its default.

    Raises PreflightError when it cannot be reached, is not ready, refuses the key, or has no such spec.
    """
    given, shown, client = _client(url, access)
    name, detail = given.params.get("spec", spec), None
    with client:
        _get(client, shown, "/readyz")
        version = _get(client, shown, "/version")
        if name is not None:
            detail = _get(client, shown, f"/specs/{quote(name, safe='')}")
    return Answers(_facts(shown, version if name is None else _with_spec(version, detail)), version, detail)


def _client(url: str, access: Access) -> tuple[httpx.URL, str, httpx.Client]:
    """The URL as given, the server as errors show it, and a client of it."""
    headers = {b"Authorization": f"Bearer {access.api_key}".encode()} if access.api_key else {}
    try:
        given = httpx.URL(url)
        if given.scheme not in ("http", "https"):
            raise PreflightError(f"the server's URL {given.copy_with(userinfo=b'')} does not begin with http://")
        base = given.copy_with(query=None, fragment=None)
        base = base.copy_with(path=base.path.removesuffix("/score").removesuffix("/get_reward"))
        shown = str(base.copy_with(userinfo=b"")).rstrip("/")
        verify = tls_context([url], access.tls)
        # The key is for the server, and the environment's proxies may not even reach a loopback address.
        transport = httpx.HTTPTransport(verify=verify) if is_loopback(given.host) else None
        client = httpx.Client(
            base_url=base, headers=headers, timeout=_TIMEOUT_SECONDS, transport=transport, verify=verify
        )
        return given, shown, client
    except httpx.InvalidURL as error:
        raise PreflightError(f"the server's URL is none: {error}") from None
    except RewardError as error:
        raise PreflightError(str(error)) from None


def _is_https(url: str) -> bool:
    return url.lower().startswith("https:")


def _with_spec(version: Any, spec: Any) -> Any:
    """What the server is, with another spec in place of its default."""
    return {**version, "spec": spec} if isinstance(version, dict) else None


def _facts(shown: str, version: Any) -> ServerFacts:
    try:
        told = (version["server_version"], version["spec"]["name"], version["spec"]["digest"])
        facts = ServerFacts(shown, *told, version["certainty"]["source"])
    except (KeyError, TypeError):
        raise PreflightError(f"{shown} answers, but not as a Shop-R1 reward server") from None
    if not all(isinstance(fact, str) for fact in facts):
        raise PreflightError(f"{shown} answers, but not as a Shop-R1 reward server")
    return facts


def _get(client: httpx.Client, shown: str, path: str) -> Any:
    try:
        response = client.get(path)
        body = response.json()
    except httpx.LocalProtocolError:
        raise PreflightError(f"{shown} was not asked: the API key has characters that no header may have") from None
    except httpx.HTTPError as error:
        raise PreflightError(f"{shown} cannot be reached: {error or type(error).__name__}") from None
    except ValueError:
        raise PreflightError(f"{shown} answers, but not as a Shop-R1 reward server") from None
    if response.is_success:
        return body
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        raise PreflightError(f"{shown} asks for an API key that it knows: set SHOP_R1_API_KEY, or --api-key")
    detail = body.get("detail") if isinstance(body, dict) else None
    raise PreflightError(f"{shown} answers {path} with {response.status_code}: {detail}")
