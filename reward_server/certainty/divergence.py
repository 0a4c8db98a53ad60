"""Self-certainty of one token: how far the model's distribution p over V tokens is from uniform, in nats.

Exactly, from all V log-probabilities, in the three readings of the paper; and as bounds of KL(p‖U) = ln V − H(p) where
only the k largest are known. Then the mass of the tail is known, its shape is not: spread evenly it has the most
entropy; packed into as few tokens as p_k allows, the least. KL(U‖p) has no finite upper bound from them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reward_server.certainty.source import Kind

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


def log_softmax(logits: NDArray[np.floating]) -> Floats:
    """Log-probabilities of each row of logits, shape (tokens, V), in double precision whatever theirs is."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def divergence(logprobs: Floats, kind: Kind) -> Floats:
    """The certainty of each token, in nats, from all its natural log-probabilities.

    `logprobs` has shape (tokens, V); the answer (tokens,): 0 for uniform rows, and for a one-hot row ln V (that over V,
    infinity) by kind. Raises LogprobsError for rows that are no distribution, such as those of another vocabulary size.
    """
    vocab_size = logprobs.shape[1]
    _refuse(np.isnan(logprobs), "a log-probability is not a number")
    _refuse(logprobs > 0, "a log-probability is above 0")
    probabilities = np.exp(logprobs)
    off = np.abs(probabilities.sum(axis=1) - 1) > SUM_TOLERANCE
    _refuse(off, f"the probabilities of {vocab_size} tokens do not sum to 1; are they all that the model has?")
    if kind == "kl_from_uniform":
        from_uniform: Floats = np.maximum(-logprobs.mean(axis=1) - np.log(vocab_size), 0)
        return from_uniform
    to_uniform: Floats = np.maximum(np.log(vocab_size) + _p_log_p(probabilities).sum(axis=1), 0)
    return to_uniform / vocab_size if kind == "kl_to_uniform_over_vocab" else to_uniform


def bounds_from_top_k(logprobs: Floats, vocab_size: int) -> Bounds:
    """Bounds of KL(p‖U) from the k largest natural log-probabilities of each token, in any order.

    `logprobs` has shape (tokens, k), k ≥ 1, finite. Both bounds are attained by some distribution. Raises LogprobsError
    when no distribution over `vocab_size` tokens has these values.
    """
    tokens, k = logprobs.shape
    if k > vocab_size:
        raise LogprobsError(0, f"{k} log-probabilities per token, but a vocabulary of {vocab_size}")
    probabilities = np.exp(logprobs)
    _refuse(logprobs > 0, "a log-probability is above 0")
    mass = probabilities.sum(axis=1)
    _refuse(mass > 1 + SUM_TOLERANCE, "the probabilities sum to more than 1")
    tail = np.clip(1 - mass, 0, None)
    smallest = probabilities.min(axis=1)
    rest = vocab_size - k
    _refuse(
        tail > rest * smallest * (1 + SUM_TOLERANCE) + SUM_TOLERANCE,
        f"these cannot be the {k} largest of {vocab_size}: the remaining {rest} tokens would have to be likelier",
    )
    head_entropy = -_p_log_p(probabilities).sum(axis=1)
    highest = head_entropy + (tail * np.log(rest) - _p_log_p(tail) if rest else 0)
    packed = np.minimum(np.floor(np.divide(tail, smallest, out=np.zeros(tokens), where=smallest > 0)), rest)
    remainder = np.clip(tail - packed * smallest, 0, None)
    lowest = head_entropy - packed * _p_log_p(smallest) - _p_log_p(remainder)
    log_vocab = np.log(vocab_size)
    lower = np.clip(log_vocab - highest, 0, log_vocab)
    return Bounds(lower, np.clip(log_vocab - lowest, lower, log_vocab))


def _p_log_p(p: Floats) -> Floats:
    """p ln p, with 0 ln 0 = 0."""
    return p * np.log(p, out=np.zeros_like(p), where=p > 0)


def _refuse(broken: NDArray[np.bool_], reason: str) -> None:
    rows = broken.any(axis=1) if broken.ndim == 2 else broken
    if rows.any():
        raise LogprobsError(int(rows.argmax()), reason)
