"""What stands in for products of bfloat16 on a CPU without them is the same product, more exactly."""

import pytest
import torch
from torch.nn.functional import linear, scaled_dot_product_attention

from trainer.openrlhf.cpu.patches import _in_float32


def narrow(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def test_a_product_of_bfloat16_is_that_of_float32_rounded_once() -> None:
    rows, weight, bias = narrow(5, 300), narrow(7, 300, seed=1), narrow(7, seed=2)
    found = _in_float32(linear, torch)(rows, weight, bias)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, linear(rows.float(), weight.float(), bias.float()).bfloat16())


def test_gradients_reach_the_weights_in_their_own_type() -> None:
    rows, weight = narrow(5, 30), narrow(7, 30, seed=1).requires_grad_()
    _in_float32(linear, torch)(rows, weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.bfloat16
    assert torch.equal(weight.grad, rows.float().sum(0).expand(7, 30).bfloat16())


def test_a_mask_stays_a_mask() -> None:
    query, key, value = (narrow(1, 2, 4, 8, seed=seed) for seed in range(3))
    mask = torch.ones(4, 4, dtype=torch.bool).tril()
    found = _in_float32(scaled_dot_product_attention, torch)(query, key, value, attn_mask=mask)
    expected = scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=mask)
    assert torch.equal(found, expected.bfloat16())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_types_are_left_alone(dtype: torch.dtype) -> None:
    rows, weight = narrow(5, 30).to(dtype), narrow(7, 30, seed=1).to(dtype)
    assert torch.equal(_in_float32(linear, torch)(rows, weight), linear(rows, weight))
