"""What generates: one model, loaded once, asked many times."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from trainer.generation.sampling import Sampling


class Prompt(NamedTuple):
    """A prompt to be continued."""

    token_ids: Sequence[int]
    line: int
    """Of its row, for the seed."""


class Engine(ABC):
    """A loaded model. `close` frees its memory, so that another can be loaded after it."""

    rows_at_once: int
    """Prompts that it takes best in one call."""

    @abstractmethod
    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[list[int]]]:
        """For each prompt its `sampling.drawn` completions as token ids, each with or without its end of turn."""

    @abstractmethod
    def close(self) -> None:
        """Free what the model takes."""
