"""Policies that look at no page. What a model does not beat by a clear margin, it has not learned."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reward_server.reward.spec import RewardSpec
from trainer.evaluation.counts import Counts
from trainer.evaluation.figures import Prediction

RANDOM = "random"


class CommonestAction(NamedTuple):
    """The commonest label action of a run."""

    type: str
    action: Mapping[str, str] | None
    """None where it is so rare that its text was not kept."""
    rollouts: int
    """How many have it."""


class Policy(NamedTuple):
    """A baseline."""

    description: str
    action: Mapping[str, str] | None
    """What it always predicts."""
    predict: Callable[[Counts], Prediction] | None
    """Its hits, from a run's counts; None where the run lacks what it needs."""
    reason: str | None = None
    """Why it cannot predict."""


def policies(spec: RewardSpec, types: list[str], commonest: CommonestAction, knows_last: bool) -> dict[str, Policy]:
    """The baselines of a run by name. `types` are the label types that occur, in the order of the counts' columns."""
    always_and_random = label_policies(spec, types)
    return {
        **{name: policy for name, policy in always_and_random.items() if name != RANDOM},
        "most_frequent_action": _most_frequent(commonest, types),
        "copy_last_action": _copy_last(knows_last),
        RANDOM: always_and_random[RANDOM],
    }


def label_policies(spec: RewardSpec, types: list[str]) -> dict[str, Policy]:
    """Those baselines whose hits follow from the counts of labels alone."""
    bare = [name for name in types if not spec.action_space[name]]
    random = _random(len(spec.action_space), [name in bare for name in types])
    return {**{f"always_{name}": _always(name, types, bare) for name in types}, RANDOM: random}


def _always(name: str, types: list[str], bare: list[str]) -> Policy:
    chosen, exact = types.index(name), name in bare
    description = f"always predicts {name}" if exact else f"always predicts {name}, without its fields"

    def predict(counts: Counts) -> Prediction:
        hits = counts.labels[..., chosen]
        return _one_type(counts, chosen)._replace(exact=hits if exact else np.zeros_like(hits))

    return Policy(description, {"type": name}, predict)


def _most_frequent(commonest: CommonestAction, types: list[str]) -> Policy:
    chosen = types.index(commonest.type)

    def predict(counts: Counts) -> Prediction:
        return _one_type(counts, chosen)._replace(exact=counts.commonest)

    description = f"always predicts the commonest label action of this file, which {commonest.rollouts:,} rollouts have"
    return Policy(description, commonest.action, predict)


def _copy_last(known: bool) -> Policy:
    description = "predicts the action before, once more; wrong where there is none"
    if not known:
        reason = "no line has a last_action, or a session and step whose step before is in the file"
        return Policy(description, None, None, reason)
    return Policy(description, None, lambda counts: Prediction(counts.last_exact, counts.last_right, counts.last))


def _random(types_in_spec: int, bare: list[bool]) -> Policy:
    is_bare: NDArray[np.bool_] = np.array(bare)

    def predict(counts: Counts) -> Prediction:
        hits = counts.labels / types_in_spec
        predicted = np.broadcast_to(hits.sum(axis=-1, keepdims=True), hits.shape)
        return Prediction(hits[..., is_bare].sum(axis=-1), hits, predicted)

    description = f"one of the spec's {types_in_spec} action types at random, without fields: expected counts, no draws"
    return Policy(description, None, predict)


def _one_type(counts: Counts, chosen: int) -> Prediction:
    """Always the same type, right by its type only."""
    right, predicted = np.zeros_like(counts.labels), np.zeros_like(counts.labels)
    right[..., chosen] = counts.labels[..., chosen]
    predicted[..., chosen] = counts.labels.sum(axis=-1)
    return Prediction(np.zeros(counts.labels.shape[:-1]), right, predicted)
