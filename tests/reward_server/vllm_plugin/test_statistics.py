"""The pooler's arithmetic, in single precision, against the definitions in double precision."""

import numpy as np
import pytest
import torch

from reward_server.certainty.exact import exact
from reward_server.vllm_plugin.statistics import ROWS_AT_ONCE, hidden_state_statistics, token_statistics

TOLERANCE = 1e-4
"""Nats, as the issue asks."""


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 300.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_three_numbers_tell_of_a_distribution_over_qwens_vocabulary(scale: float, dtype: torch.dtype) -> None:
    logits = (torch.randn(3, 151_936, generator=torch.Generator().manual_seed(0)) * scale).to(dtype)
    targets = torch.tensor([0, 7, 151_935])
    logprob, entropy, from_uniform = token_statistics(logits, targets).double().numpy().T
    expected = logits.double().log_softmax(1)
    relative = max(1.0, scale) * TOLERANCE
    assert logprob == pytest.approx(expected[[0, 1, 2], targets].numpy(), abs=relative)
    assert np.log(151_936) - entropy == pytest.approx(exact(logits, "kl_to_uniform").numpy(), abs=TOLERANCE)
    assert from_uniform == pytest.approx(exact(logits, "kl_from_uniform").numpy(), abs=relative)


def test_an_impossible_token_takes_no_part_in_the_entropy_and_makes_the_other_divergence_infinite() -> None:
    logits = torch.tensor([[0.0, 0.0, float("-inf")]])
    logprob, entropy, from_uniform = token_statistics(logits, torch.tensor([1]))[0].tolist()
    assert (logprob, entropy) == pytest.approx((-np.log(2), np.log(2)))
    assert from_uniform == np.inf


@pytest.mark.parametrize("rows", [0, 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_rows_are_taken_some_at_a_time_and_none_is_lost(rows: int) -> None:
    head = torch.randn(8, 50, generator=torch.Generator().manual_seed(1))
    hidden = torch.randn(rows, 8, generator=torch.Generator().manual_seed(2))
    targets = torch.arange(rows) % 50
    most: list[int] = []

    def compute_logits(part: torch.Tensor) -> torch.Tensor:
        most.append(len(part))
        return part @ head

    found = hidden_state_statistics(compute_logits, hidden, targets)
    assert torch.allclose(found, token_statistics(hidden @ head, targets), atol=1e-6)
    assert max(most, default=0) <= ROWS_AT_ONCE


def test_a_rank_that_gets_no_logits_asks_for_as_many_as_the_others() -> None:
    asked: list[int] = []
    hidden = torch.zeros(ROWS_AT_ONCE + 5, 4)
    found = hidden_state_statistics(
        lambda part: asked.append(len(part)), hidden, torch.zeros(len(hidden), dtype=torch.int64)
    )
    assert asked == [ROWS_AT_ONCE, 5]
    assert found.shape == (len(hidden), 3)
