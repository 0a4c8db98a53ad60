"""Self-certainty of tokens: how far the model's distribution p over V tokens is from uniform U, in nats.

Exactly, from all V logits, in the three readings of the paper. In double precision, on the device that has the logits.
Imports torch, so import it late.
"""

import math

import torch

from reward_server.certainty.source import Kind


def exact(logits: torch.Tensor, kind: Kind) -> torch.Tensor:
    """The certainty of each token from its logits, which have shape (tokens, V), any type, and are finite.

    The answer has shape (tokens,): 0 for uniform rows; near one-hot ones it nears ln V (that over V, infinity) by kind.
    """
    vocab_size = logits.shape[1]
    logprobs = torch.log_softmax(logits.double(), dim=1)
    if kind == "kl_from_uniform":
        return (-logprobs.mean(1) - math.log(vocab_size)).clamp(min=0)
    entropy = -(logprobs.exp() * logprobs).sum(1)
    to_uniform = (math.log(vocab_size) - entropy).clamp(min=0)
    return to_uniform / vocab_size if kind == "kl_to_uniform_over_vocab" else to_uniform
