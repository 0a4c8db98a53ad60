"""Batches and groups of GPUs, by hand."""

from trainer.openrlhf.checks.batches import batches, group
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe


def test_gpus_that_share_a_sequence_are_one_rank() -> None:
    grpo = read_recipe("grpo")
    flags = Read(grpo.flags)
    assert group(flags) == 4
    assert batches(grpo, flags) == (64, 1, 2)


def test_what_is_not_said_is_openrlhf_s_default() -> None:
    sft, grpo = read_recipe("sft"), read_recipe("grpo")
    assert batches(sft, Read({})) == (128, 8, 8)
    assert batches(grpo, Read({})) == (128, 1, 8)
