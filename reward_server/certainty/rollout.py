"""Source `rollout`: bounds from the policy's own top-k logprobs, sent along with the completion; no forward pass."""

from collections.abc import Sequence

import numpy as np

from reward_server.certainty.divergence import TopKError, bounds_from_top_k
from reward_server.certainty.source import Certainty, EvidenceError, EvidenceFault, Kind, RationaleRequest, TopLogprobs

_NO_EVIDENCE = (
    "the spec needs the rationale's certainty, and its only source here is the rollout itself: "
    "send certainty.top_logprobs, or score with a spec whose certainty weight is 0, such as shop-r1-no-rationale"
)


class RolloutSource:
    """Bounds of KL(p‖U), and their midpoint as the value. KL(U‖p) has no finite upper bound from top-k logprobs."""

    name = "rollout"
    kinds: frozenset[Kind] = frozenset({"kl_to_uniform", "kl_to_uniform_over_vocab"})

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, in order. Raises EvidenceError naming every request that cannot be answered."""
        answers = [self._measure_one(index, request.top_logprobs, kind) for index, request in enumerate(requests)]
        if faults := [answer for answer in answers if isinstance(answer, EvidenceFault)]:
            raise EvidenceError(faults)
        return [answer for answer in answers if isinstance(answer, Certainty)]

    def _measure_one(self, index: int, evidence: TopLogprobs | None, kind: Kind) -> Certainty | EvidenceFault:
        if evidence is None:
            return EvidenceFault(index, ("certainty",), _NO_EVIDENCE)
        rows = evidence.rows
        path = ("certainty", "top_logprobs")
        if not rows:
            return EvidenceFault(index, path, "no tokens, but the rationale is not empty")
        k = len(rows[0])
        for row, values in enumerate(rows):
            if not values or len(values) != k:
                reason = f"{len(values)} log-probabilities where the first token has {k}; send the same k ≥ 1 for each"
                return EvidenceFault(index, (*path, row), reason)
        try:
            lower, upper = bounds_from_top_k(np.array(rows, dtype=np.float64), evidence.vocab_size)
        except TopKError as error:
            return EvidenceFault(index, (*path, error.row), error.reason)
        scale = evidence.vocab_size if kind == "kl_to_uniform_over_vocab" else 1
        low, high = float(lower.mean()) / scale, float(upper.mean()) / scale
        return Certainty((low + high) / 2, low, high, len(rows), kind, self.name)
