"""How the models begin."""

import pytest
import torch

from tests.trainer.tiny_model.support import VOCABULARY, a_model
from trainer.tiny_model.architecture import Shape, new_model


def test_the_usual_shape_is_under_a_million_parameters_and_vllm_serves_its_heads() -> None:
    model = new_model(Shape(), 768, seed=0)
    assert model.num_parameters() < 1_000_000
    assert model.model.layers[0].self_attn.head_dim == 32


def test_the_same_seed_gives_the_same_weights_and_leaves_the_randomness_of_others_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = a_model(1), a_model(1), a_model(2)
    assert torch.equal(before, torch.get_rng_state())
    name = "model.embed_tokens.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_the_first_head_begins_by_looking_at_the_token_before() -> None:
    model = new_model(Shape(width=64, layers=1, heads=2, feed_forward=32), VOCABULARY, seed=0)
    model.set_attn_implementation("eager")
    ids = torch.randint(VOCABULARY, (1, 100), generator=torch.Generator().manual_seed(0))
    first, second = model(ids, output_attentions=True).attentions[0][0]
    assert (first.argmax(-1)[1:] == torch.arange(99)).all()
    assert (second.argmax(-1)[1:] == torch.arange(99)).float().mean() < 0.5


@pytest.mark.parametrize("shape", [{"heads": 3}, {"width": 4, "heads": 4}, {"layers": 0}])
def test_a_shape_that_cannot_be_is_refused(shape: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Shape(**shape)
