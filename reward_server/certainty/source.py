"""The interface every certainty source keeps: rationales in, one certainty each out, or one typed error for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Kind = Literal["kl_to_uniform", "kl_to_uniform_over_vocab", "kl_from_uniform"]


class TopLogprobs(NamedTuple):
    """What a rollout can bring along: the policy's k largest log-probabilities of each rationale token."""

    vocab_size: int
    rows: Sequence[Sequence[float]]
    """Natural logs before sampling transforms; one row per rationale token, all of one length."""


class RationaleRequest(NamedTuple):
    """A non-empty rationale whose certainty is wanted."""

    rationale: str
    top_logprobs: TopLogprobs | None


class Certainty(NamedTuple):
    """Self-certainty of a rationale, averaged over its tokens, in the unit of its kind (nats)."""

    value: float
    lower: float
    upper: float
    tokens: int
    kind: Kind
    source: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class EvidenceFault:
    """One rollout whose certainty its own request makes impossible."""

    index: int
    """Which request of the batch."""
    path: tuple[str | int, ...]
    """The field of the rollout."""
    reason: str


class EvidenceError(ValueError):
    """A batch in which some requests cannot be answered, so none is; names them all."""

    def __init__(self, faults: Sequence[EvidenceFault]) -> None:
        super().__init__(faults[0].reason)
        self.faults = list(faults)


class CertaintySource(Protocol):
    """Where certainties come from. A source answers for the whole batch or raises; it never leaves one out."""

    name: str
    kinds: frozenset[Kind]
    """What the source can tell."""

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, in order. Raises EvidenceError for those that cannot be answered."""
        ...


def empty_rationale(kind: Kind, source: str) -> Certainty:
    """The certainty of a rationale without tokens: 0 by definition, whatever the source."""
    return Certainty(0.0, 0.0, 0.0, 0, kind, source)
