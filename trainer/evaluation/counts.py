"""Rollouts -> what each cluster adds to every count that a figure is made of."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from trainer.bootstrap import Floats, Sample
from trainer.evaluation.history import History
from trainer.evaluation.rows import NONE, Rows

_PER_TYPE = 7
_SCALARS = 7


class Counts(NamedTuple):
    """Sums over clusters, of any leading shape; K is the number of label types."""

    labels: Floats
    """(…, K) Labels of each type."""
    right: Floats
    """(…, K) Of those, how many were predicted as that type."""
    predicted: Floats
    """(…, K) Predictions of each type."""
    exact: Floats
    """(…, K) Exact matches, by label type."""
    similar: Floats
    """(…, K) Matches in meaning, by label type."""
    last_right: Floats
    """(…, K) Labels of the type of the action before."""
    last: Floats
    """(…, K) Actions before, by their own type."""
    invalid: Floats
    """(…) Completions that are invalid."""
    last_exact: Floats
    """(…) Labels that are the action before again."""
    commonest: Floats
    """(…) Labels that are the commonest action of the run."""
    reward: Floats
    """(…) Sum of rewards, certainty aside."""
    score: Floats
    """(…) Sum of scores."""
    cluster_exact: Floats
    """(…) Sum of the clusters' exact accuracies."""
    cluster_right: Floats
    """(…) Sum of the clusters' type accuracies."""

    @classmethod
    def split(cls, sums: Floats) -> Self:
        """From sums of shape (…, 7K + 7)."""
        types = (sums.shape[-1] - _SCALARS) // _PER_TYPE
        blocks = (sums[..., start * types : (start + 1) * types] for start in range(_PER_TYPE))
        return cls(*blocks, *np.moveaxis(sums[..., _PER_TYPE * types :], -1, 0))

    @classmethod
    def of_labels(cls, labels: Floats) -> Self:
        """From the labels (…, K) alone, for policies that nothing else is asked of."""
        rest = np.zeros((*labels.shape[:-1], (_PER_TYPE - 1) * labels.shape[-1] + _SCALARS))
        return cls.split(np.concatenate([labels, rest], axis=-1))


class Clusters(NamedTuple):
    """A run as clusters. Those of a single rollout differ in few ways, so only their kind is kept."""

    whole: Floats
    """(clusters of several rollouts, 7K + 7)."""
    single: NDArray[np.int64]
    """The kind of each cluster of a single rollout."""
    kinds: Floats
    """(kinds, 7K + 7)."""


def sample_of(runs: Sequence[Clusters]) -> Sample:
    """The clusters of runs that have the same ones in the same order, their statistics side by side."""
    each = [len(run.kinds) for run in runs]
    joint = np.ravel_multi_index([run.single for run in runs], each)
    codes, multiplicity = np.unique(joint, return_counts=True)
    parts = [run.kinds[index] for run, index in zip(runs, np.unravel_index(codes, each), strict=True)]
    return Sample(np.hstack([run.whole for run in runs]), np.hstack(parts), multiplicity)


def label_types(rows: Rows) -> NDArray[np.int16]:
    """The K types that occur among the labels, as indexes into the spec's types."""
    return np.unique(rows["label"])


def clusters_of(
    rows: Rows, cluster: NDArray[np.int64], past: History, commonest: NDArray[np.bool_], types: int
) -> Clusters:
    """The statistics of each cluster.

    `cluster` are the rows' clusters, counted from 0, `commonest` says which labels are the commonest action of all, and
    `types` is how many action types the spec has.
    """
    flags = (rows["exact"], rows["similar"], past.repeats, commonest)
    last = np.where(past.type == NONE, types, past.type)
    # Similarities are ratios of small numbers, so that rewards and scores have few values.
    earned, earns = np.unique(rows[["reward", "score"]], return_inverse=True)
    sizes = (types, types + 2, types + 1, 2, 2, 2, 2, len(earned))
    columns = (rows["label"], rows["predicted"], last, *(flag.view(np.int8) for flag in flags), earns)
    codes = np.ravel_multi_index(columns, sizes)
    found, kind = np.unique(codes, return_inverse=True)
    *parts, earns = np.unravel_index(found, sizes)
    kinds = _kinds(parts, earned[earns], label_types(rows), types + 1)
    members = np.bincount(cluster)
    alone = members[cluster] == 1
    single = kind[alone][np.argsort(cluster[alone])]
    return Clusters(_wholes(cluster[~alone], kind[~alone], kinds, members), single, kinds)


def _kinds(columns: Sequence[NDArray[np.int64]], earned: Rows, types: NDArray[np.int16], invalid: int) -> Floats:
    """(kinds, 7K + 7) What one rollout of each kind adds."""
    label, predicted, last, *flags = columns
    exact, similar, repeats, commonest = (flag.astype(bool) for flag in flags)
    right = predicted == label
    is_label, is_predicted, is_last = (values[:, None] == types for values in (label, predicted, last))
    by_type = (
        is_label,
        is_label & right[:, None],
        is_predicted,
        is_label & exact[:, None],
        is_label & similar[:, None],
        is_label & (last == label)[:, None],
        is_last,
    )
    scalars = (predicted == invalid, repeats, commonest, earned["reward"], earned["score"], exact, right)
    return np.hstack([*by_type, np.stack(scalars, axis=1)]).astype(np.float64)


def _wholes(cluster: NDArray[np.int64], kind: NDArray[np.int64], kinds: Floats, members: NDArray[np.int64]) -> Floats:
    """(clusters of several rollouts, 7K + 7) Their sums; the last two columns are means over the cluster."""
    several = np.flatnonzero(members > 1)
    position = np.searchsorted(several, cluster)
    sums = np.empty((len(several), kinds.shape[1]))
    for column, values in enumerate(kinds.T):
        sums[:, column] = np.bincount(position, weights=values[kind], minlength=len(several))
    sums[:, -2:] /= members[several, None]
    return sums
