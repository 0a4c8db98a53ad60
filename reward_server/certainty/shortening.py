"""Top-k logprobs -> as few of them, of as few digits, as tell nearly the same: what travels of a policy's own."""

import numpy as np
from numpy.typing import NDArray

from reward_server.certainty.divergence import Floats, LogprobsError, bounds_from_top_k

WIDER = 1e-4
"""By how many nats the bounds of a token may be wider for what is left out."""
_DECIMALS = 6
"""Of each probability."""


def shortened(logprobs: Floats, vocab_size: int) -> list[list[float]]:
    """The largest logprobs of each token, without those that tell next to nothing, and rounded.

    `logprobs` has shape (tokens, k), k ≥ 1: the k largest natural log-probabilities of each token, in any order. The j
    largest are enough where the bounds of KL(p‖U) from them are at most `WIDER` nats wider than from all k. They hold
    those from all k, so that their middles, which the reward counts, are at most half of that apart. A tail of
    probability r beyond the j-th, p, can have an entropy between r ln(1/p) and r ln((V − j)/r), so that the bounds
    are at most r ln((V − j) p/r) wide: next to nothing for most tokens of a trained model after a few logprobs.

    Rounding moves no probability by more than 10⁻⁶, nor the bounds by more than what moves with it: some 10⁻⁵ nats.
    Raises LogprobsError when no distribution over `vocab_size` tokens has these values.
    """
    descending = -np.sort(-logprobs, axis=1)
    tokens, k = descending.shape
    beyond = np.arange(k) > np.arange(k)[:, None]
    first_few = np.where(beyond, -np.inf, descending[:, None, :]).reshape(tokens * k, k)
    try:
        lower, upper = bounds_from_top_k(first_few, vocab_size)
    except LogprobsError as error:
        raise LogprobsError(error.row // k, error.reason) from None
    widths = (upper - lower).reshape(tokens, k)
    enough = (widths <= widths[:, -1:] + WIDER).argmax(axis=1) + 1
    probabilities = np.exp(descending)
    digits = _decimals(probabilities)
    # The smallest told bounds all that are left out, and is told as they need it.
    last_digits = _decimals(np.maximum(probabilities, 1 - probabilities.cumsum(axis=1)))
    parts = (array.tolist() for array in (descending, digits, last_digits, enough - 1))
    return [
        [*map(round, row[:last], digits), round(row[last], last_digits[last])]
        for row, digits, last_digits, last in zip(*parts, strict=True)
    ]


def _decimals(probabilities: Floats) -> NDArray[np.int_]:
    """How many of their logarithms are as good as `_DECIMALS` of the probabilities."""
    exponents = np.floor(np.log10(np.maximum(probabilities, 10.0**-_DECIMALS)))
    return exponents.astype(int) + _DECIMALS + 1
