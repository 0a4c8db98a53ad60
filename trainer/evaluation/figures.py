"""Counts -> figures, for the run itself and for many resamples of it at once."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from trainer.bootstrap import Floats
from trainer.evaluation.counts import Counts

Figures = Mapping[str, Floats]
"""Figure -> its value, one per resample."""


class Prediction(NamedTuple):
    """What a policy gets right, summed over rollouts; of any leading shape."""

    exact: Floats
    """(…) Exact matches."""
    right: Floats
    """(…, K) Right types, by label type."""
    predicted: Floats
    """(…, K) Predictions of each type."""


def headlines(policy: Prediction, labels: Floats) -> dict[str, Floats]:
    """The figures that every policy has, from the counts (…, K) of labels of each type.

    Both F1 means go over the types that occur among the labels: those of the resample, where it lacks one.
    """
    rollouts = labels.sum(axis=-1)
    f1 = _f1(policy, labels)
    occurs = labels > 0
    return {
        "exact_accuracy": policy.exact / rollouts,
        "type_accuracy": policy.right.sum(axis=-1) / rollouts,
        "type_f1_macro": np.where(occurs, f1, 0).sum(axis=-1) / occurs.sum(axis=-1),
        "type_f1_weighted": np.where(occurs, labels * f1, 0).sum(axis=-1) / rollouts,
    }


def model(counts: Counts) -> Prediction:
    """The evaluated policy."""
    return Prediction(counts.exact.sum(axis=-1), counts.right, counts.predicted)


def model_figures(counts: Counts, clusters: int) -> dict[str, Floats]:
    """Every overall figure of the evaluated policy; `clusters` is how many there are, and in each resample."""
    rollouts = counts.labels.sum(axis=-1)
    figures = headlines(model(counts), counts.labels)
    classes = (counts.labels > 0).sum(axis=-1)
    return {
        "exact_accuracy": figures["exact_accuracy"],
        "exact_accuracy_rouge_l": counts.similar.sum(axis=-1) / rollouts,
        **figures,
        "type_f1_macro_with_invalid": figures["type_f1_macro"] * (classes / (classes + (counts.invalid > 0))),
        "session_macro_exact_accuracy": counts.cluster_exact / clusters,
        "session_macro_type_accuracy": counts.cluster_right / clusters,
        "valid": (rollouts - counts.invalid) / rollouts,
        "mean_reward": counts.reward / rollouts,
        "mean_score": counts.score / rollouts,
    }


def per_type_figures(counts: Counts) -> dict[str, Floats]:
    """(…, K) The figures of each label type; NaN where there is no such label, or no prediction to be precise about."""
    return {
        "exact_accuracy": _ratio(counts.exact, counts.labels),
        "exact_accuracy_rouge_l": _ratio(counts.similar, counts.labels),
        "type_accuracy": _ratio(counts.right, counts.labels),
        "precision": _ratio(counts.right, np.where(counts.labels > 0, counts.predicted, 0)),
        "f1": _f1(model(counts), counts.labels),
    }


def _f1(policy: Prediction, labels: Floats) -> Floats:
    """(…, K) F1 of each type; NaN for a type without labels."""
    return _ratio(np.where(labels > 0, 2 * policy.right, 0), np.where(labels > 0, labels + policy.predicted, 0))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Their quotient; NaN for 0/0."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
