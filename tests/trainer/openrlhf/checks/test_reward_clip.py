"""What OpenRLHF would clip of a spec's rewards, by hand."""

from math import log
from typing import Any

import pytest

from reward_server.reward.spec import load_preset, preset_names
from trainer.openrlhf.checks.reward_clip import check_clip, reward_span
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe, recipe_names

HIGHEST_CERTAINTY = 0.005 * log(10_000_000)


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("grpo")])
def test_no_shipped_recipe_clips_what_its_spec_tells_apart(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.server is not None
    check_clip(Read(recipe.flags), load_preset(recipe.server.spec))


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
