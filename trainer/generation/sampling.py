"""How completions are drawn."""

from hashlib import blake2b
from typing import NamedTuple

LEAST_TEMPERATURE = 0.01
"""Below it, but for 0, logits divided by it may overflow; vLLM would take this one instead."""


class Sampling(NamedTuple):
    """Greedy at temperature 0; else drawn from the whole distribution (top_p 1, no top_k, no penalties)."""

    temperature: float = 0.0
    max_new_tokens: int = 512
    samples: int = 1
    """Completions for each prompt; at temperature 0 they are all the same."""
    seed: int = 0

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0

    @property
    def drawn(self) -> int:
        """Completions to generate for each prompt."""
        return 1 if self.greedy else self.samples

    def seed_of(self, line: int, start: int = 0) -> int:
        """53 bits for a row's samples from one on: rows with one prompt are not to draw the same completions."""
        return int.from_bytes(blake2b(f"{self.seed}/{line}/{start}".encode(), digest_size=8).digest()) >> 11
