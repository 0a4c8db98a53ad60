"""Source `rollout`: bounds from the policy's own top-k logprobs, sent along with the completion; no forward pass."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from reward_server.certainty.characters import rationale_characters
from reward_server.certainty.divergence import Floats, LogprobsError, bounds_from_top_k
from reward_server.certainty.source import (
    Certainty,
    CertaintySource,
    EvidenceError,
    EvidenceFault,
    Kind,
    Model,
    RationaleRequest,
    TokensRead,
)

_NO_EVIDENCE = (
    "the spec needs the rationale's certainty, and its only source here is the rollout itself: "
    "send certainty.top_logprobs, or score with a spec whose certainty weight is 0, such as shop-r1-no-rationale"
)

_MIXED = "other rollouts of the batch bring top-k logprobs and this one does not: send them for all, or for none"


class RolloutSource(CertaintySource):
    """Bounds of KL(p‖U), and their midpoint as the value. KL(U‖p) has no finite upper bound from top-k logprobs."""

    name = "rollout"
    kinds: frozenset[Kind] = frozenset({"kl_to_uniform", "kl_to_uniform_over_vocab"})

    def needs_prompt(self, _request: RationaleRequest) -> bool:
        """Never: the policy has read it."""
        return False

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, in order. Raises EvidenceError naming every request that cannot be answered."""
        answers = [self._measure_one(index, request, kind) for index, request in enumerate(requests)]
        faults = [answer for answer in answers if isinstance(answer, EvidenceFault)]
        if faults := faults or _other_vocabularies(requests):
            raise EvidenceError(faults)
        return [answer for answer in answers if isinstance(answer, Certainty)]

    def _measure_one(self, index: int, request: RationaleRequest, kind: Kind) -> Certainty | EvidenceFault:
        evidence = request.top_logprobs
        if evidence is None:
            return EvidenceFault(index, ("certainty",), _NO_EVIDENCE)
        rows = evidence.rows
        path = ("certainty", "top_logprobs")
        if not rows:
            return EvidenceFault(index, path, "no tokens, but the rationale is not empty")
        if reason := _too_many(len(rows), request):
            return EvidenceFault(index, path, reason)
        empty = next((row for row, values in enumerate(rows) if not values), None)
        if empty is not None:
            return EvidenceFault(index, (*path, empty), "no log-probabilities; send the k ≥ 1 largest of each token")
        try:
            lower, upper = bounds_from_top_k(_filled_up(rows), evidence.vocab_size)
        except LogprobsError as error:
            return EvidenceFault(index, (*path, error.row), error.reason)
        scale = evidence.vocab_size if kind == "kl_to_uniform_over_vocab" else 1
        low, high = float(lower.mean()) / scale, float(upper.mean()) / scale
        return Certainty((low + high) / 2, low, high, len(rows), kind, self.name)


def _filled_up(rows: Sequence[Sequence[float]]) -> Floats:
    """As `bounds_from_top_k` takes rows of several lengths."""
    lengths = np.array([len(row) for row in rows])
    filled = np.full((len(rows), lengths.max()), -np.inf)
    filled[np.arange(filled.shape[1]) < lengths[:, None]] = [*chain.from_iterable(rows)]
    return filled


def _too_many(tokens: int, request: RationaleRequest) -> str | None:
    """Why these cannot be the rationale's tokens alone: the whole completion's, or those of another text."""
    start, end = rationale_characters(request.completion)
    # A token has at least one byte of the rationale.
    most = len(request.completion[start:end].encode())
    if request.completion_token_ids is not None:
        most = min(most, len(request.completion_token_ids))
    if tokens <= most:
        return None
    return f"{tokens} tokens, but the rationale has {most} at most; send the rows of its own tokens alone"


def _other_vocabularies(requests: Sequence[RationaleRequest]) -> list[EvidenceFault]:
    """A fault for each request whose vocabulary is not the batch's: its certainties would be those of two models."""
    sizes = [(index, request.top_logprobs.vocab_size) for index, request in enumerate(requests) if request.top_logprobs]
    first = sizes[0][1] if sizes else 0
    return [
        EvidenceFault(index, ("certainty", "vocab_size"), f"{size}, but the batch's first rollout has {first}")
        for index, size in sizes
        if size != first
    ]


class EitherSource(CertaintySource):
    """Top-k logprobs for batches in which every rollout brings them, another source for those in which none does."""

    def __init__(self, other: CertaintySource) -> None:
        self.name = other.name
        self.kinds = other.kinds & RolloutSource.kinds
        self._rollout = RolloutSource()
        self._other = other

    @property
    def model(self) -> Model | None:
        """The other source's."""
        return self._other.model

    @property
    def tokens_read(self) -> TokensRead | None:
        """The other source's."""
        return self._other.tokens_read

    @property
    def remedy(self) -> str:
        """The other source may well tell more."""
        return "with REWARD_ROLLOUT_CERTAINTY rollouts may bring top-k log-probabilities only: unset that"

    @property
    def is_held_back(self) -> bool:
        """The other source's."""
        return self._other.is_held_back

    def needs_prompt(self, request: RationaleRequest) -> bool:
        """Unless it brings its own logprobs."""
        return request.top_logprobs is None

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, all by one source. Raises EvidenceError where only some bring logprobs."""
        without = [index for index, request in enumerate(requests) if request.top_logprobs is None]
        if len(without) == len(requests):
            return await self._other.measure(requests, kind)
        if without:
            raise EvidenceError([EvidenceFault(index, ("certainty",), _MIXED) for index in without])
        return await self._rollout.measure(requests, kind)

    async def check(self) -> None:
        """Whether the other source can answer."""
        await self._other.check()

    async def close(self) -> None:
        """Close the other source."""
        await self._other.close()
