"""Self-certainty from all of a token's logits, in the three readings of the paper: by hand and by definition."""

from math import exp, fsum, inf, log
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reward_server.certainty.exact import exact
from reward_server.certainty.source import Kind


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("size", [2, 764, 151_936])
def test_a_uniform_distribution_is_certain_of_nothing(kind: Kind, size: int) -> None:
    assert exact(torch.full((3, size), -7.25), kind).tolist() == pytest.approx([0, 0, 0], abs=1e-12)


def test_a_one_hot_distribution_is_as_certain_as_can_be() -> None:
    one_hot = torch.full((1, 8), -1e5)
    one_hot[0, 5] = 0.0
    assert exact(one_hot, "kl_to_uniform").tolist() == pytest.approx([log(8)])
    assert exact(one_hot, "kl_to_uniform_over_vocab").tolist() == pytest.approx([log(8) / 8])
    assert exact(one_hot, "kl_from_uniform").tolist() == pytest.approx([7 / 8 * 1e5 - log(8)])


def test_the_three_kinds_worked_out_by_hand() -> None:
    # p = (1/2, 1/4, 1/4): H = 3/2 ln 2; KL(U‖p) = −ln 3 − (ln ½ + 2 ln ¼)/3 = 5/3 ln 2 − ln 3.
    logits = torch.tensor([[2.0, 1.0, 1.0]], dtype=torch.float64) * log(2)
    assert exact(logits, "kl_to_uniform").tolist() == pytest.approx([log(3) - 1.5 * log(2)])
    assert exact(logits, "kl_to_uniform_over_vocab").tolist() == pytest.approx([(log(3) - 1.5 * log(2)) / 3])
    assert exact(logits, "kl_from_uniform").tolist() == pytest.approx([5 / 3 * log(2) - log(3)])


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=40))
def test_the_kinds_are_the_relative_entropies_that_their_definitions_give(logits: list[float]) -> None:
    total = fsum(exp(logit) for logit in logits)
    p = [exp(logit) / total for logit in logits]
    row = torch.tensor([logits], dtype=torch.float64)
    to_uniform = fsum(each * log(each * len(p)) for each in p)
    from_uniform = fsum(-log(each * len(p)) / len(p) for each in p)
    assert exact(row, "kl_to_uniform").item() == pytest.approx(to_uniform, rel=1e-9, abs=1e-9)
    assert exact(row, "kl_from_uniform").item() == pytest.approx(from_uniform, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_logits_may_be_of_any_size_and_type(dtype: torch.dtype) -> None:
    # All of these are whole numbers that each type has.
    logits = torch.tensor([[8192, 8192, -8192], [-8192, -8192, -8192]], dtype=dtype)
    found = exact(logits, "kl_from_uniform")
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([log(2) + 16384 / 3 - log(3), 0])
    assert (exact(logits, "kl_to_uniform") < inf).all()
