"""Bounds of a token's self-certainty KL(p‖U) = ln V − H(p), in nats, where only the k largest of V are known.

The mass of the tail is known then, its shape is not: spread evenly it has the most entropy; packed into as few tokens
as p_k allows, the least. KL(U‖p) has no finite upper bound from them. Exactly, from all V, it is told by `exact.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SUM_TOLERANCE = 1e-3
"""How far over 1 the probabilities of a row may sum: float32 logprobs, rounded to four digits at most."""

Floats = NDArray[np.float64]


class Bounds(NamedTuple):
    """Bounds of KL(p‖U) per token, in nats; shape (tokens,) each."""

    lower: Floats
    upper: Floats


class LogprobsError(ValueError):
    """Log-probabilities that no distribution over V tokens has; carries the row."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


def bounds_from_top_k(logprobs: Floats, vocab_size: int) -> Bounds:
    """Bounds of KL(p‖U) from the k largest natural log-probabilities of each token, in any order.

    `logprobs` has shape (tokens, k), k ≥ 1; after those of a token of which fewer are known, its row is filled up with
    −∞. Both bounds are attained by some distribution. Raises LogprobsError when no distribution over `vocab_size`
    tokens has these values.
    """
    known = logprobs > -np.inf
    k = known.sum(axis=1)
    rest = vocab_size - k
    _refuse(rest < 0, f"{{k}} log-probabilities, but a vocabulary of {vocab_size}", k=k)
    _refuse(logprobs.max(axis=1) > 0, "a log-probability is above 0")
    probabilities = np.exp(logprobs)
    mass = probabilities.sum(axis=1)
    _refuse(mass > 1 + SUM_TOLERANCE, "the probabilities sum to more than 1")
    tail = np.clip(1 - mass, 0, None)
    smallest = probabilities.min(axis=1, where=known, initial=1)
    _refuse(
        tail > rest * smallest * (1 + SUM_TOLERANCE) + SUM_TOLERANCE,
        f"these cannot be the {{k}} largest of {vocab_size}: the remaining {{rest}} tokens would have to be likelier",
        k=k,
        rest=rest,
    )
    head_entropy = -_p_log_p(probabilities).sum(axis=1)
    highest = head_entropy + np.where(rest > 0, tail * np.log(np.maximum(rest, 1)) - _p_log_p(tail), 0)
    packed = np.minimum(np.floor(np.divide(tail, smallest, out=np.zeros_like(tail), where=smallest > 0)), rest)
    remainder = np.clip(tail - packed * smallest, 0, None)
    lowest = head_entropy - packed * _p_log_p(smallest) - _p_log_p(remainder)
    log_vocab = np.log(vocab_size)
    lower = np.clip(log_vocab - highest, 0, log_vocab)
    return Bounds(lower, np.clip(log_vocab - lowest, lower, log_vocab))


def _p_log_p(p: Floats) -> Floats:
    """p ln p, with 0 ln 0 = 0."""
    return p * np.log(p, out=np.zeros_like(p), where=p > 0)


def _refuse(broken: NDArray[np.bool_], reason: str, **counts: NDArray[np.int_]) -> None:
    """Raise LogprobsError for the first row that is broken; `reason` names its counts in braces."""
    if broken.any():
        row = int(broken.argmax())
        raise LogprobsError(row, reason.format(**{name: count[row] for name, count in counts.items()}))
