"""The interface every certainty source keeps: completions in, a certainty of each rationale out, or one error for all.

An unusable *request* is the caller's bug (EvidenceError); a source that cannot answer now is a SourceUnavailable, which
the caller retries; a source that answers with another model than it should is a SourceMismatch. None of them is ever
made up for by a number.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["kl_to_uniform", "kl_to_uniform_over_vocab", "kl_from_uniform"]


class TopLogprobs(NamedTuple):
    """What a rollout can bring along: the policy's k largest log-probabilities of each rationale token."""

    vocab_size: int
    rows: Sequence[Sequence[float]]
    """Natural logs before sampling transforms; one row per rationale token, of one value at least."""


class RationaleRequest(NamedTuple):
    """A valid completion with a rationale that is not empty, and what the caller knows of how it came about."""

    completion: str
    prompt: str | None = None
    """The text before the completion; none and an empty one are the same."""
    prompt_token_ids: Sequence[int] | None = None
    """The prompt's tokens, which win over its text."""
    completion_token_ids: Sequence[int] | None = None
    top_logprobs: TopLogprobs | None = None

    @property
    def has_prompt(self) -> bool:
        """Whether the rationale can be measured in its context."""
        return bool(self.prompt_token_ids or self.prompt)


class Model(NamedTuple):
    """The weights that certainties are measured with."""

    name: str
    """A Hugging Face id, a folder, or the name it is served under."""
    revision: str | None = None
    """Which version of these weights: a commit, a digest of their files, or what a reload called them."""
    loaded_at: str | None = None
    """When the source began to use them, RFC 3339 in UTC."""


class TokensRead(NamedTuple):
    """Tokens of prompts and completions that a source has had its model read so far."""

    computed: int
    cached: int
    """Those that the model still knew from a text with the same beginning."""


class Certainty(NamedTuple):
    """Self-certainty of a rationale, averaged over its tokens, in the unit of its kind (nats)."""

    value: float
    lower: float
    upper: float
    tokens: int
    kind: Kind
    source: str
    model: str | None = None
    """Whose certainty it is; None where it is the policy's own, whose name the source does not know."""
    revision: str | None = None
    loaded_at: str | None = None
    context: bool = True
    """Whether the rationale was measured after its prompt, not on its own."""


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


class SourceError(RuntimeError):
    """A source that cannot do what it was set up for, whatever is asked of it."""


class SourceUnavailable(SourceError):
    """A source that cannot answer now, and may later."""


class SourceMismatch(SourceError):
    """A source that would answer with another model than it was told to; names both."""


class CertaintySource(ABC):
    """Where certainties come from. A source answers for the whole batch or raises; it never leaves one out."""

    name: str
    kinds: frozenset[Kind]
    """What the source can tell."""

    @property
    def remedy(self) -> str:
        """Why other kinds cannot be told, and what to do for who wants them."""
        return "it sees top-k log-probabilities only: choose the source vllm or local, which see them all"

    @property
    def model(self) -> Model | None:
        """The weights last measured with; None where the source does not know them."""
        return None

    @property
    def tokens_read(self) -> TokensRead | None:
        """None where the source does not count them."""
        return None

    @property
    def is_held_back(self) -> bool:
        """Whether batches wait because it has failed too often, while one at a time tries it."""
        return False

    def needs_prompt(self, _request: RationaleRequest) -> bool:
        """Whether a request is measured out of its context when it brings no prompt."""
        return True

    @abstractmethod
    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, in order; an empty batch has none.

        Raises EvidenceError for requests that can never be answered, SourceUnavailable and SourceMismatch.
        """

    async def check(self) -> None:
        """Raise SourceUnavailable or SourceMismatch when nothing can be measured now."""
        return

    async def close(self) -> None:
        """Let go of connections and threads."""
        return


def empty_rationale(kind: Kind, source: CertaintySource) -> Certainty:
    """The certainty of a rationale without tokens: 0 by definition, whatever the source and its model."""
    return Certainty(0.0, 0.0, 0.0, 0, kind, source.name)
