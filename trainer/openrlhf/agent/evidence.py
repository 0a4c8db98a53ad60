"""What vLLM generated -> the rationale's top-k logprobs, as the certainty source `rollout` takes them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np

from reward_server.certainty.divergence import LogprobsError
from reward_server.certainty.shortening import shortened
from reward_server.certainty.span import RationaleFinder
from reward_server.wire import CertaintyEvidence


class TokenLogprob(Protocol):
    """vLLM's `Logprob`."""

    logprob: float
    rank: int | None


def evidence(
    finder: RationaleFinder,
    completion: str,
    token_ids: Sequence[int],
    logprobs: Sequence[Mapping[int, TokenLogprob]],
    top_k: int,
) -> CertaintyEvidence | None:
    """The largest logprobs of each of the rationale's tokens, `shortened`; None where there is no rationale.

    `logprobs` holds, per generated token, those of the k likeliest tokens and of the one sampled, natural logarithms
    before any sampling transform. A completion without a rationale is invalid, and its certainty is never asked for.
    """
    try:
        rationale = finder.in_tokens(completion, token_ids)
    except (ValueError, IndexError, RecursionError):  # text that is not JSON, cut JSON, JSON nested a thousand deep
        return None
    rows = [_largest(logprobs[position], top_k) for position in range(rationale.start, rationale.end)]
    if rows:
        with suppress(LogprobsError):  # the server says it, and whose they are
            rows = shortened(np.array(rows), finder.vocab_size)
    return CertaintyEvidence(vocab_size=finder.vocab_size, top_logprobs=rows)


def _largest(row: Mapping[int, TokenLogprob], top_k: int) -> list[float]:
    # A float32 log-softmax can round a certain token's logprob to a hair above 0.
    return sorted((min(entry.logprob, 0.0) for entry in row.values()), reverse=True)[:top_k]
