"""Whether there is enough data, and how many steps it makes. The comments say where OpenRLHF 0.11.2 has its rules."""

from typing import NamedTuple

from trainer.openrlhf.checks.batches import batches
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import Recipe


class Plan(NamedTuple):
    """How far the data goes."""

    rows: int
    """That are trained on in an epoch."""
    steps: int
    per_step: int
    """Rows that a step takes."""
    micro_batches: int
    """Of a step, on each data-parallel rank."""


def check_rows(recipe: Recipe, flags: Read, rows: int) -> Plan:
    """What `rows` of data come to. Raises FlagError where that is not a single step, or an uneven last one."""
    rows = min(rows, flags.count("data.max_samples", 100_000_000))
    batch, micro, ranks = batches(recipe, flags)
    if recipe.trainer == "sft":
        per_rank = rows // ranks // micro
        epochs = flags.count("train.max_epochs", 2)
        accumulated = batch // micro // ranks
        if per_rank * epochs < accumulated:
            # sft_trainer.py:109.
            raise FlagError(f"data: {rows:,} rows in {epochs} epochs are less than one batch of {batch}")
        return Plan(rows, per_rank * epochs // accumulated, batch, accumulated)
    prompts, episodes = flags.count("rollout.batch_size", 1024), flags.count("train.num_episodes", 1)
    if rows < prompts:
        raise FlagError(f"data: {rows:,} prompts are less than one step of {prompts} (openrlhf.rollout.batch_size)")
    if left := rows % prompts:
        # DeepSpeed would count its gradients towards the next step's (loss_utils.py:80), ranks might get different
        # numbers of batches (launcher.py:355), and a checkpoint made then would resume at the episode's beginning.
        raise FlagError(
            f"openrlhf.data.max_samples: the last {left} of {rows:,} prompts make no whole step of {prompts} "
            f"(openrlhf.rollout.batch_size): set it to {rows - left}"
        )
    return Plan(rows, rows // prompts * episodes, prompts, max(1, batch // micro // ranks))
