"""How far data goes, by hand."""

import pytest

from trainer.openrlhf.checks.amount import check_rows
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe


def test_the_plan_says_how_far_the_data_goes() -> None:
    grpo, sft = read_recipe("grpo"), read_recipe("sft")
    assert check_rows(grpo, Read(grpo.flags), 10_000) == (4_000, 500, 8)
    assert check_rows(grpo, Read(grpo.flags), 801) == (801, 101, 8)
    # 1,000 rows on 2 ranks, 4 times over, in batches of 64.
    assert check_rows(sft, Read(sft.flags), 1_000) == (1_000, 62, 64)


def test_too_little_data_is_refused() -> None:
    grpo, sft = read_recipe("grpo"), read_recipe("sft")
    with pytest.raises(FlagError, match="7 prompts are less than one step of 8"):
        check_rows(grpo, Read(grpo.flags), 7)
    with pytest.raises(FlagError, match="15 rows in 4 epochs are less than one batch of 64"):
        check_rows(sft, Read(sft.flags), 15)


def test_a_last_step_that_ranks_cannot_share_is_refused() -> None:
    recipe = read_recipe("grpo-0.5b", [("openrlhf.ds.ring_attn_size", 1), ("openrlhf.train.micro_batch_size", 2)])
    check_rows(recipe, Read(recipe.flags), 802)
    with pytest.raises(FlagError, match=r"the last 1 of 801 prompts make 8 rollouts.*set it to 800"):
        check_rows(recipe, Read(recipe.flags), 801)
