"""Checks a reward server before a run depends on it: reachable, ready, and scoring with the spec the run expects."""

from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from reward_server import __version__
from reward_server.client.options import is_loopback
from reward_server.reward.spec import RewardSpec
from trainer.openrlhf.agent.settings import CertaintyFrom

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


class RunServer(NamedTuple):
    """The server of a run, found fit for it."""

    facts: ServerFacts
    """Its spec and digest are the run's, not the server's default."""
    spec: RewardSpec
    certainty_model: str | None
    """Whose certainty the server measures; None where it measures none, or has not yet."""


def check_server(url: str, *, digest: str | None = None, api_key: str | None = None) -> ServerFacts:
    """Ask the server at `url` what it is and what would score.

    `url` may be the one a trainer is given, with `/score` and with `?spec=` and `?digest=`, which are then checked.
    Raises PreflightError when it cannot be reached, is not ready, refuses the key, or scores with another spec than the
    one whose `digest` is given. Neither the facts nor an error repeat a key, be it `api_key` or part of the URL.
    """
    given, shown, client = _client(url, api_key)
    with client:
        _get(client, shown, "/readyz")
        version = _get(client, shown, "/version")
        if (name := given.params.get("spec")) is not None:
            version = _with_spec(version, _get(client, shown, f"/specs/{quote(name, safe='')}"))
    facts = _facts(shown, version)
    for wanted in (digest, given.params.get("digest")):
        if wanted is not None and wanted != facts.digest:
            raise PreflightError(f"{shown} scores with {facts.spec} ({facts.digest}), not with the run's {wanted}")
    return facts


def check_run_server(url: str, spec: str, certainty: CertaintyFrom, *, api_key: str | None = None) -> RunServer:
    """Ask the server whether it can reward a whole run: ready, the spec loaded, and the certainty the run counts on.

    `certainty` says whose it is: `rollout`, each rollout brings the policy's own; `server`, the server measures it;
    `none`, the spec has no use for it. Raises PreflightError as `check_server` does, and where these do not fit.
    """
    _, shown, client = _client(url, api_key)
    with client:
        _get(client, shown, "/readyz")
        version = _get(client, shown, "/version")
        detail = _get(client, shown, f"/specs/{quote(spec, safe='')}")
    facts = _facts(shown, _with_spec(version, detail))
    try:
        read = RewardSpec.model_validate({"name": facts.spec, **detail["spec"]})
        takes_rollouts, model = version["certainty"]["takes_rollouts"], version["certainty"]["model"]
        is_understood = read.digest == facts.digest
    except (KeyError, TypeError, ValidationError):
        is_understood = False
    if not is_understood:
        versions = f"{facts.server_version}, and this is {__version__}"
        raise PreflightError(f"{shown} describes spec {spec} in a way not understood here: its version is {versions}")
    if (reason := _misfit(read, certainty, facts, bool(takes_rollouts))) is not None:
        raise PreflightError(f"{shown}: {reason}")
    return RunServer(facts, read, model)


def _misfit(spec: RewardSpec, certainty: CertaintyFrom, facts: ServerFacts, takes_rollouts: bool) -> str | None:
    """Why the run's certainty does not go with the spec or with the server."""
    if not spec.needs_certainty:
        if certainty == "none":
            return None
        return f"spec {spec.name} gives the rationale's certainty no weight: set server.certainty to none"
    if certainty == "none":
        return f"spec {spec.name} weighs the rationale's certainty: set server.certainty to rollout or server"
    if certainty == "rollout" and not takes_rollouts:
        return (
            f"it takes no certainty that rollouts bring (its source is {facts.certainty_source}): set "
            "server.certainty to server, or start it with --certainty rollout or --rollout-certainty"
        )
    if certainty == "server" and facts.certainty_source in ("rollout", "none"):
        return (
            f"it measures no certainty itself (its source is {facts.certainty_source}): set server.certainty to "
            "rollout, or start it with --certainty vllm"
        )
    return None


def _client(url: str, api_key: str | None) -> tuple[httpx.URL, str, httpx.Client]:
    """The URL as given, the server as errors show it, and a client of it."""
    headers = {b"Authorization": f"Bearer {api_key}".encode()} if api_key else {}
    try:
        given = httpx.URL(url)
        base = given.copy_with(query=None, fragment=None)
        base = base.copy_with(path=base.path.removesuffix("/score").removesuffix("/get_reward"))
        shown = str(base.copy_with(userinfo=b"")).rstrip("/")
        # The key is for the server, and the environment's proxies may not even reach a loopback address.
        transport = httpx.HTTPTransport() if is_loopback(given.host) else None
        client = httpx.Client(base_url=base, headers=headers, timeout=_TIMEOUT_SECONDS, transport=transport)
        return given, shown, client
    except httpx.InvalidURL as error:
        raise PreflightError(f"the server's URL is none: {error}") from None


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
    detail = body.get("detail") if isinstance(body, dict) else None
    raise PreflightError(f"{shown} answers {path} with {response.status_code}: {detail}")
