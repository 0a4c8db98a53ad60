"""What is kept of a token's distribution: three numbers out of V logits."""

import math
from collections.abc import Callable

import torch

ROWS_AT_ONCE = 256
"""Rows of logits held at a time: 256 × 151,936 × 4 bytes are 156 MB, three times over."""

COLUMNS = ("logprob", "entropy", "kl_from_uniform")


def token_statistics(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """For each row of logits, shape (n, V): ln p of its target, H(p) and KL(U‖p), in nats; shape (n, 3), float32.

    The same definitions as `certainty/exact.py`, in single precision and in place, which is what a GPU is good at.
    """
    logprobs = logits.float()
    logprobs = logprobs - logprobs.logsumexp(-1, keepdim=True)
    target = logprobs.gather(-1, targets[:, None])[:, 0]
    from_uniform = -logprobs.mean(-1) - math.log(logits.shape[-1])
    # A logit of −∞ gives 0 · −∞, which is to count as 0.
    entropy = -logprobs.exp().mul_(logprobs).nan_to_num_(0.0).sum(-1)
    return torch.stack([target, entropy, from_uniform], dim=1)


def hidden_state_statistics(
    compute_logits: Callable[[torch.Tensor], torch.Tensor | None], hidden_states: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """The same from hidden states, shape (n, hidden), some rows at a time; zeros on a rank that gets no logits."""
    found = torch.zeros(len(hidden_states), len(COLUMNS), dtype=torch.float32, device=hidden_states.device)
    for first in range(0, len(hidden_states), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        logits = compute_logits(hidden_states[rows])
        if logits is not None:
            found[rows] = token_statistics(logits, targets[rows])
    return found
