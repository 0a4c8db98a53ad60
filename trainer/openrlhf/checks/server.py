"""Whether a reward server can reward a whole run: the run's spec loaded, and the certainty that it counts on."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import ValidationError

from reward_server import __version__
from reward_server.reward.spec import RewardSpec
from trainer.openrlhf.agent.settings import CertaintyFrom
from trainer.preflight import NO_KEY, Access, PreflightError, ServerFacts, ask_server, check_digests


class RunServer(NamedTuple):
    """The server of a run, found fit for it."""

    facts: ServerFacts
    """Its spec and digest are the run's, not the server's default."""
    spec: RewardSpec
    certainty_model: str | None
    """Whose certainty the server measures; None where it measures none, or has not yet."""


def check_run_servers(urls: Sequence[str], spec: str, certainty: CertaintyFrom, access: Access = NO_KEY) -> RunServer:
    """Ask each server whether it can reward a whole run: ready, the spec loaded, and the certainty the run counts on.

    `certainty` says whose it is: `rollout`, each rollout brings the policy's own; `server`, the server measures it;
    `none`, the spec has no use for it. Returns the first of those that may reward any rollout, and so have to do it
    alike. Raises PreflightError as `ask_server` does, and where these do not fit.
    """
    first, *others = [_check_run_server(url, spec, certainty, access.to(url, urls)) for url in urls]
    check_digests([first.facts, *(other.facts for other in others)])
    for other in others if certainty == "server" else ():
        here, there = first.facts, other.facts
        if here.certainty_source != there.certainty_source:
            raise PreflightError(
                f"{here.url} takes certainty from the source {here.certainty_source}, but {there.url} from "
                f"{there.certainty_source}"
            )
        if (
            None not in (first.certainty_model, other.certainty_model)
            and first.certainty_model != other.certainty_model
        ):
            raise PreflightError(
                f"{here.url} measures the certainty of {first.certainty_model}, but {there.url} that of "
                f"{other.certainty_model}"
            )
        first = first._replace(certainty_model=first.certainty_model or other.certainty_model)
    return first


def _check_run_server(url: str, spec: str, certainty: CertaintyFrom, access: Access) -> RunServer:
    facts, version, detail = ask_server(url, spec=spec, access=access)
    try:
        read = RewardSpec.model_validate({"name": facts.spec, **detail["spec"]})
        takes_rollouts, model = version["certainty"]["takes_rollouts"], version["certainty"]["model"]
        is_understood = read.digest == facts.digest
    except (KeyError, TypeError, ValidationError):
        is_understood = False
    if not is_understood:
        versions = f"{facts.server_version}, and this is {__version__}"
        raise PreflightError(
            f"{facts.url} describes spec {spec} in a way not understood here: its version is {versions}"
        )
    if (reason := _misfit(read, certainty, facts, bool(takes_rollouts))) is not None:
        raise PreflightError(f"{facts.url}: {reason}")
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
            "rollout, or start it with --certainty vllm, vllm-logprobs or local"
        )
    return None
