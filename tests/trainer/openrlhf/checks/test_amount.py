"""How far data goes, by hand."""

import pytest

from trainer.openrlhf.checks.amount import check_rows
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe


def test_the_plan_says_how_far_the_data_goes() -> None:
    grpo, sft = read_recipe("grpo"), read_recipe("sft")
    # 64 rollouts a step on 2 ranks, one at a time.
    assert check_rows(grpo, Read(grpo.flags), 10_000) == (4_000, 500, 8, 32)
    assert check_rows(grpo, Read(grpo.flags), 800) == (800, 100, 8, 32)
    # 1,000 rows on 2 ranks, 4 times over, in batches of 64.
    assert check_rows(sft, Read(sft.flags), 1_000) == (1_000, 62, 64, 32)


def test_too_little_data_is_refused() -> None:
    grpo, sft = read_recipe("grpo"), read_recipe("sft")
    with pytest.raises(FlagError, match="7 prompts are less than one step of 8"):
        check_rows(grpo, Read(grpo.flags), 7)
    with pytest.raises(FlagError, match="15 rows in 4 epochs are less than one batch of 64"):
        check_rows(sft, Read(sft.flags), 15)


@pytest.mark.parametrize("rows", [12, 801, 807])
def test_a_last_step_of_fewer_prompts_is_refused(rows: int) -> None:
    recipe = read_recipe("grpo")
    whole = rows // 8 * 8
    with pytest.raises(FlagError, match=f"the last {rows - whole} of {rows} prompts make no whole .*set it to {whole}"):
        check_rows(recipe, Read(recipe.flags), rows)
