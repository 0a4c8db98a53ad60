"""How OpenRLHF cuts its batches and its GPUs, with its own defaults."""

from typing import NamedTuple

from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import Recipe


class Batches(NamedTuple):
    """What a training step is made of."""

    batch: int
    """Sequences per update."""
    micro: int
    """Of them per pass of a rank."""
    ranks: int
    """Data-parallel ranks."""


def batches(recipe: Recipe, flags: Read) -> Batches:
    """The batches of a recipe; `flags` are OpenRLHF's."""
    micro = flags.count("train.micro_batch_size", 1 if recipe.trainer == "grpo" else 8)
    return Batches(flags.count("train.batch_size", 128), micro, recipe.training_gpus // group(flags))


def group(flags: Read) -> int:
    """How many GPUs share a sequence."""
    return flags.count("ds.ring_attn_size", 1) * flags.count("ds.tensor_parallel_size", 1)
