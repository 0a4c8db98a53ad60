"""What the metrics of a history are, and which of them are shown together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

PREDICTS = "predicts_"
"""What the keys of the shares of predicted action types start with."""

_UNKNOWN_TYPE = f"{PREDICTS}unknown_type"

OBJECTIVES = ("reward", "gpt_loss")
"""What training optimises; the first that a run has."""

_SHARES = {"score", "valid", "type_match", "exact_match"}
_TERMS = ("reward", "term_format", "term_certainty", "term_type", "term_attribute", "term_value")
_RIGHT = ("score", "valid", "type_match", "exact_match")
_OPTIMISATION = (
    *("gpt_loss", "policy_loss", "kl", "group_reward_std", "response_length", "certainty_nats"),
    *("grad_norm", "actor_grad_norm", "lr", "actor_lr"),
)


class Group(NamedTuple):
    """Metrics that share a plot."""

    name: str
    title: str
    metrics: Sequence[str]


def groups(keys: Iterable[str]) -> list[Group]:
    """The groups that have any of these metrics, each with those it has; metrics of no group are left out.

    Metrics stand in the same places for every run: OpenRLHF logs them in an order that changes from run to run.
    """
    known = sorted(set(keys))
    terms = [*_TERMS, *(key for key in known if key.startswith("term_") and key not in _TERMS)]
    predicted = sorted((key for key in known if key.startswith(PREDICTS)), key=lambda key: key == _UNKNOWN_TYPE)
    candidates = (
        Group("reward", "The reward and its terms", terms),
        Group("predicted", "Share of each predicted action type", predicted),
        Group("right", "Score, and how many rollouts are right", _RIGHT),
        Group("optimisation", "Optimisation", _OPTIMISATION),
    )
    shown = (group._replace(metrics=[key for key in group.metrics if key in known]) for group in candidates)
    found = [group for group in shown if group.metrics]
    return found or [Group("metrics", "Metrics", known)] if known else []


def is_share(key: str) -> bool:
    """Whether a metric is a share of the rollouts, and shown in percent."""
    return key in _SHARES or key.startswith(PREDICTS)


def title_of(key: str) -> str:
    """A metric as it is called above its curves: its key, and its unit where that is percent."""
    name = key.removeprefix(PREDICTS) or key
    return f"{name}, %" if is_share(key) else name
