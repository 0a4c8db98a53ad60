"""The native dialect: `{"rollouts": […]}` in, a result with every term for each out."""

from collections.abc import Mapping, Sequence
from typing import Any

from reward_server import __version__, wire
from reward_server.decoding import JsonPath
from reward_server.reward.spec import RewardSpec
from reward_server.scoring import Fault, Rollout, Scored, to_wire
from reward_server.service.limits import check_length, count_within
from reward_server.settings import Settings

name = "native"
request_type = wire.ScoreRequest
flat = frozenset({"top_logprobs", "prompt_token_ids", "completion_token_ids"})


def count(message: Mapping[str, Any], settings: Settings) -> int:
    """How many rollouts there are. Raises a 422 Problem for too many."""
    return count_within("/rollouts", message["rollouts"], settings)


def to_rollouts(request: wire.ScoreRequest, settings: Settings) -> list[wire.Rollout]:
    """The request's rollouts. Raises a 422 Problem for a text that is over a limit."""
    most = settings.max_field_chars
    for index, rollout in enumerate(request.rollouts):
        if len(rollout.completion) > most or len(rollout.prompt or "") > most:
            check_length(f"/rollouts/{index}/completion", len(rollout.completion), settings)
            check_length(f"/rollouts/{index}/prompt", len(rollout.prompt or ""), settings)
    return request.rollouts


def locate(fault: Fault) -> JsonPath:
    """Where in the request a rollout's fault stands."""
    return ("rollouts", fault.index, *fault.path)


def reply(rollouts: Sequence[Rollout], scored: Sequence[Scored], spec: RewardSpec) -> dict[str, object]:
    """The answer, as `wire.ScoreResponse` has it."""
    return {
        "rewards": [item.card.reward for item in scored],
        "scores": [item.card.score for item in scored],
        "results": [to_wire(rollout, item) for rollout, item in zip(rollouts, scored, strict=True)],
        "spec": {"name": spec.name, "digest": spec.digest},
        "server_version": __version__,
    }
