"""Settings that do not go together: the arithmetic of batches and GPUs, by hand."""

from typing import Any

import pytest

from trainer.openrlhf.checks.agreement import check_flags
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe, recipe_names


def problem(name: str, **changes: Any) -> str:
    """What is wrong with a recipe once these flags (`__` for a dot) are changed."""
    flags = {key.replace("__", "."): value for key, value in changes.items()}
    ours = {key: value for key, value in flags.items() if "." not in key or key.startswith("server.")}
    theirs = [(f"openrlhf.{key}", value) for key, value in flags.items() if key not in ours]
    recipe = read_recipe(name, [*ours.items(), *theirs])
    with pytest.raises(FlagError) as caught:
        check_flags(recipe, Read(recipe.flags))
    return str(caught.value)


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_agrees_with_itself(name: str) -> None:
    recipe = read_recipe(name)
    check_flags(recipe, Read(recipe.flags))


# 8 GPUs in rings of 4 are 2 data-parallel ranks.
@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("grpo", {"train__batch_size": 63}, "train.batch_size: 63 is no multiple of 2 (train.micro_batch_size 1 × 2 "),
        ("grpo", {"train__micro_batch_size": 3}, "64 is no multiple of 6"),
        ("sft", {"train__batch_size": 7}, "7 is no multiple of 2"),
        ("grpo", {"train__batch_size": 48}, "48 does not divide the 64 rollouts"),
        ("grpo", {"train__batch_size": 128}, "128 does not divide the 64 rollouts"),
        ("grpo", {"rollout__micro_batch_size": 5}, "64 rollouts in batches of 5 are 13 batches, which 2 "),
        ("grpo", {"rollout__batch_size": 0}, "rollout.batch_size: 0, and at least 1"),
        ("grpo", {"ds__ring_attn_size": 3}, "8 GPUs cannot be cut into groups of 3"),
        ("sft", {"ds__tensor_parallel_size": 4}, "8 GPUs cannot be cut into groups of 16"),
        ("grpo", {"vllm__num_engines": 4}, "4 × vllm.tensor_parallel_size 1 must be the 8 GPUs"),
        ("grpo", {"vllm__num_engines": None}, "say how many engines"),
        ("grpo-async", {"actor_gpus_per_node": 6, "ds__ring_attn_size": 2, "train__batch_size": 48}, "10 GPUs"),
        ("grpo-async", {"train__colocate_actor_ref": False}, "need 12 GPUs, and there are 8"),
        ("grpo-async", {"algo__advantage__estimator": "gae"}, "need 16 GPUs, and there are 8"),
        ("grpo", {"rollout__max_new_tokens": 32_768}, "leave no room for a prompt"),
        ("grpo", {"ckpt__save_steps": 0}, "ckpt.save_steps: 0 steps between checkpoints"),
        ("sft", {"ckpt__save_steps": 0}, "ckpt.save_steps: 0 steps between checkpoints"),
        ("grpo", {"rollout__temperature": 0}, "rollout.temperature: 0, and rollouts are drawn at one above 0"),
        ("grpo", {"vllm__gpu_memory_utilization": 5}, "5 is no share of a GPU's memory"),
        ("grpo-cpu-smoke", {"vllm__num_engines": 2}, "vllm.num_engines: 2, and on a CPU there is one"),
        ("grpo-cpu-smoke", {"vllm__tensor_parallel_size": 2}, "vllm.tensor_parallel_size: 2, and on a CPU"),
        ("grpo-cpu-smoke", {"train__colocate_actor_ref": False}, "policy and reference are in one place"),
        ("grpo-cpu-smoke", {"algo__advantage__estimator": "gae"}, "gae trains a critic"),
        ("grpo", {"algo__advantage__is_correction_level": "token"}, "one log-probability per token"),
        ("grpo-cpu-smoke", {"ds__zero_stage": 3}, "ZeRO-3 corrupts weights on a CPU"),
        ("sft-cpu-smoke", {"ds__zero_stage": 3}, "ZeRO-3 corrupts weights on a CPU"),
        ("grpo-cpu-smoke", {"vllm__sync_backend": None}, "by gloo alone"),
        ("grpo-cpu-smoke", {"vllm__sync_with_ray": True}, "by gloo alone"),
        ("grpo-cpu-smoke", {"ds__packing_samples": True}, "packing"),
        ("grpo-cpu-smoke", {"ds__attn_implementation": None}, "set it to sdpa"),
        ("grpo-cpu-smoke", {"gpus_per_node": 2}, "device: "),
    ],
)
def test_settings_that_do_not_go_together_are_named(name: str, changes: dict[str, Any], expected: str) -> None:
    assert expected in problem(name, **changes)


def test_importance_sampling_is_free_where_the_server_measures() -> None:
    changes = [("openrlhf.algo.advantage.is_correction_level", "token"), ("server.certainty", "server")]
    recipe = read_recipe("grpo", changes)
    check_flags(recipe, Read(recipe.flags))
