"""The source `rollout`: certainties from the logprobs that rollouts bring along."""

import asyncio
from collections.abc import Sequence
from math import log

import pytest

from reward_server.certainty.rollout import EitherSource, RolloutSource
from reward_server.certainty.source import (
    Certainty,
    CertaintySource,
    EvidenceError,
    Kind,
    RationaleRequest,
    TopLogprobs,
    empty_rationale,
)

HALF = [log(0.5)]
"""V = 4: between ln 4 − (½ ln 2 + ½ ln 6) and ln 4 − ln 2, see test_divergence."""

BECAUSE = '{"rationale": "because", "action": {"type": "terminate"}}'
LOWER, UPPER = log(4) - (0.5 * log(2) + 0.5 * log(6)), log(2)


def request(*rows: list[float], vocab_size: int = 4) -> RationaleRequest:
    return RationaleRequest(BECAUSE, top_logprobs=TopLogprobs(vocab_size, rows))


def test_the_value_is_the_midpoint_of_the_mean_bounds() -> None:
    (certainty,) = asyncio.run(RolloutSource().measure([request(HALF, [0.0])], "kl_to_uniform"))
    assert (certainty.lower, certainty.upper) == pytest.approx(((LOWER + log(4)) / 2, (UPPER + log(4)) / 2))
    assert certainty.value == pytest.approx((certainty.lower + certainty.upper) / 2)
    assert (certainty.tokens, certainty.kind, certainty.source, certainty.model) == (
        2,
        "kl_to_uniform",
        "rollout",
        None,
    )


def test_the_kind_over_the_vocabulary_is_divided_by_its_size() -> None:
    (certainty,) = asyncio.run(RolloutSource().measure([request(HALF)], "kl_to_uniform_over_vocab"))
    assert (certainty.lower, certainty.upper) == pytest.approx((LOWER / 4, UPPER / 4))


def test_each_token_may_have_another_number_of_logprobs() -> None:
    rows = [HALF, [log(0.4), log(0.3), log(0.2)], [log(0.9), log(0.05)]]
    (together,) = asyncio.run(RolloutSource().measure([request(*rows)], "kl_to_uniform"))
    alone = asyncio.run(RolloutSource().measure([request(row) for row in rows], "kl_to_uniform"))
    assert together.lower == pytest.approx(sum(token.lower for token in alone) / 3)
    assert together.upper == pytest.approx(sum(token.upper for token in alone) / 3)
    assert together.tokens == 3


def test_answers_come_in_the_order_of_the_requests() -> None:
    answers = asyncio.run(RolloutSource().measure([request([0.0]), request(HALF)], "kl_to_uniform"))
    assert [answer.upper for answer in answers] == pytest.approx([log(4), UPPER])


def test_every_request_at_fault_is_named_and_none_is_answered() -> None:
    requests = [
        RationaleRequest(BECAUSE),
        request(HALF),
        request(),
        request(HALF, [-1.0, -2.0]),
        request([], []),
        request(HALF, [0.5]),
    ]
    with pytest.raises(EvidenceError) as caught:
        asyncio.run(RolloutSource().measure(requests, "kl_to_uniform"))
    assert [(fault.index, fault.path) for fault in caught.value.faults] == [
        (0, ("certainty",)),
        (2, ("certainty", "top_logprobs")),
        (3, ("certainty", "top_logprobs", 1)),
        (4, ("certainty", "top_logprobs", 0)),
        (5, ("certainty", "top_logprobs", 1)),
    ]


def test_kl_from_uniform_is_not_among_what_top_k_can_tell() -> None:
    assert RolloutSource().kinds == {"kl_to_uniform", "kl_to_uniform_over_vocab"}


def test_an_empty_rationale_is_certain_by_nothing() -> None:
    certainty = empty_rationale("kl_to_uniform", RolloutSource())
    assert (certainty.value, certainty.lower, certainty.upper, certainty.tokens) == (0, 0, 0, 0)


def test_more_tokens_than_the_rationale_has_bytes_are_not_its_own() -> None:
    assert asyncio.run(RolloutSource().measure([request(*[HALF] * 7)], "kl_to_uniform"))[0].tokens == 7
    with pytest.raises(EvidenceError, match="8 tokens, but the rationale has 7 at most"):
        asyncio.run(RolloutSource().measure([request(*[HALF] * 8)], "kl_to_uniform"))


def test_more_tokens_than_the_completion_has_are_not_its_own() -> None:
    known = request(*[HALF] * 4)._replace(completion_token_ids=[1, 2, 3])
    with pytest.raises(EvidenceError, match="4 tokens, but the rationale has 3 at most"):
        asyncio.run(RolloutSource().measure([known], "kl_to_uniform"))


def test_a_batch_of_two_vocabularies_is_a_batch_of_two_models() -> None:
    with pytest.raises(EvidenceError, match="5, but the batch's first rollout has 4") as caught:
        asyncio.run(RolloutSource().measure([request(HALF), request(HALF, vocab_size=5)], "kl_to_uniform"))
    assert [(fault.index, fault.path) for fault in caught.value.faults] == [(1, ("certainty", "vocab_size"))]


class Exact(CertaintySource):
    """Another source, which says 1 of everything."""

    name = "exact"
    kinds = frozenset[Kind]({"kl_to_uniform", "kl_from_uniform"})

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        return [Certainty(1.0, 1.0, 1.0, 1, kind, self.name) for _ in requests]


def test_either_source_measures_a_batch_but_never_both() -> None:
    either = EitherSource(Exact())
    without = RationaleRequest(BECAUSE, "prompt")
    assert [item.source for item in asyncio.run(either.measure([without, without], "kl_to_uniform"))] == ["exact"] * 2
    assert [item.source for item in asyncio.run(either.measure([request(HALF)], "kl_to_uniform"))] == ["rollout"]
    with pytest.raises(EvidenceError, match="this one does not") as caught:
        asyncio.run(either.measure([without, request(HALF), without], "kl_to_uniform"))
    assert [(fault.index, fault.path) for fault in caught.value.faults] == [(0, ("certainty",)), (2, ("certainty",))]


def test_either_source_gives_what_both_can() -> None:
    assert EitherSource(Exact()).kinds == {"kl_to_uniform"}
    assert not EitherSource(Exact()).needs_prompt(request(HALF))
    assert EitherSource(Exact()).needs_prompt(RationaleRequest(BECAUSE))
