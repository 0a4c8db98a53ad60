"""What a run has done so far."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from trainer.rationales.answer import Failure
from trainer.rationales.cost import NO_TOKENS, Tokens

_KEPT_FAILURES = 20


class StepFailure(NamedTuple):
    """A step that was asked about in vain."""

    session: str
    step: int
    """Counted from 1."""
    failure: Failure
    said: str
    """What came instead of a rationale."""


@dataclass
class Tally:
    """Counts of a run."""

    sessions: int = 0
    """Written out."""
    kept: int = 0
    """Steps whose rationale was there and is kept."""
    reused: int = 0
    """Steps whose rationale was in the journal."""
    filled: int = 0
    """Steps whose rationale was asked for now."""
    failed: Counter[Failure] = field(default_factory=Counter)
    """Steps that were asked about in vain."""
    first_failures: list[StepFailure] = field(default_factory=list)
    answers: int = 0
    """Answers that came, those that could not be used too."""
    unreported: int = 0
    """Answers that came without a count of their tokens."""
    tokens: Tokens = NO_TOKENS
    pages_cut: int = 0

    @property
    def done(self) -> int:
        """Steps to be filled that have been seen to."""
        return self.reused + self.filled + self.failed.total()

    def add_failure(self, failed: StepFailure) -> None:
        """Count a step that failed."""
        self.failed[failed.failure] += 1
        if len(self.first_failures) < _KEPT_FAILURES:
            self.first_failures.append(failed)
