"""Settings that do not go together: the arithmetic of batches, GPUs and clipped rewards, by hand."""

from math import log
from typing import Any

import pytest

from reward_server.reward.spec import load_preset, preset_names
from trainer.openrlhf.checks.agreement import check_clip, check_flags, check_rows, reward_span
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe, recipe_names

HIGHEST_CERTAINTY = 0.005 * log(10_000_000)


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
    if recipe.server is not None:
        check_clip(Read(recipe.flags), load_preset(recipe.server.spec))


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
        ("grpo", {"rollout__max_new_tokens": 32_768}, "leave no room for a prompt"),
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


# Table 1: format 0.5, type 0.3, attributes 0.2, a value of 1 × 1000 (and 0.1 for the input's name).
@pytest.mark.parametrize(
    ("spec", "smallest", "largest"),
    [
        ("shop-r1", 0, 0.5 + 0.3 + 0.2 + 0.1 + 1000 + HIGHEST_CERTAINTY),
        ("shop-r1-no-rationale", 0, 0.5 + 0.3 + 0.2 + 0.1 + 1000),
        ("shop-r1-no-dars", 0, 0.5 + 0.3 + 0.2 + 0.1 + 1 + HIGHEST_CERTAINTY),
        ("shop-r1-binary", 0, 0.5 + 1 + HIGHEST_CERTAINTY),
        ("binary", 0, 1),
        ("customer-r1", -1, 0.5 + 2000),
    ],
)
def test_the_span_of_rewards_is_what_the_weights_add_up_to(spec: str, smallest: float, largest: float) -> None:
    assert reward_span(load_preset(spec)) == pytest.approx((smallest, largest))


@pytest.mark.parametrize("estimator", ["gae", "reinforce", "rloo", "reinforce_baseline", "dr_grpo", "flash_reinforce"])
def test_a_clip_below_the_largest_reward_is_refused_where_nothing_scales_it_first(estimator: str) -> None:
    spec = load_preset("shop-r1")
    flags: dict[str, Any] = {"algo.advantage.estimator": estimator, "rollout.n_samples_per_prompt": 8}
    with pytest.raises(FlagError, match=r"openrlhf.reward.clip_range: .* \[-10, 10\].*1002\] or wider"):
        check_clip(Read(flags), spec)
    with pytest.raises(FlagError, match="clip_range"):
        check_clip(Read({**flags, "reward.clip_range": [-1001, 1001]}), spec)
    check_clip(Read({**flags, "reward.clip_range": [-1002, 1002]}), spec)
    check_clip(Read(flags), load_preset("shop-r1-no-dars"))


def test_a_baseline_can_make_a_reward_negative() -> None:
    flags = {"algo.advantage.estimator": "reinforce_baseline", "reward.clip_range": [0, 2000]}
    with pytest.raises(FlagError, match=r"less their baseline .*\[-1002, 1002\]"):
        check_clip(Read(flags), load_preset("shop-r1"))
    check_clip(Read({**flags, "algo.advantage.estimator": "reinforce"}), load_preset("shop-r1"))


@pytest.mark.parametrize("name", preset_names())
def test_group_normalised_rewards_are_never_clipped_by_default(name: str) -> None:
    flags = {"algo.advantage.estimator": "group_norm", "rollout.n_samples_per_prompt": 8}
    check_clip(Read(flags), load_preset(name))


# One winner among n has (n - 1) / √n standard deviations: 9.9 of 100, and 10.9 of 121.
def test_a_group_may_be_too_large_for_the_clip() -> None:
    flags = {"algo.advantage.estimator": "group_norm", "rollout.n_samples_per_prompt": 100}
    check_clip(Read(flags), load_preset("shop-r1"))
    with pytest.raises(FlagError, match=r"groups of 121 to \[-10, 10\]: set it to \[-11, 11\]"):
        check_clip(Read({**flags, "rollout.n_samples_per_prompt": 121}), load_preset("shop-r1"))


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
