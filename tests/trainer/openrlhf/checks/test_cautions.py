"""What a person should know of flags that OpenRLHF rightly takes."""

import pytest

from trainer.openrlhf.checks.cautions import cautions
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe, recipe_names


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("reward.stop_properly_penalty_coef", 0.0),
        ("reward.overlong_buffer_len", 64.0),
        ("reward.normalize_enable", True),
    ],
)
def test_a_flag_that_changes_rewards_is_told(flag: str, value: object) -> None:
    (told,) = cautions(Read({flag: value}))
    assert told.startswith(f"openrlhf.{flag} changes rewards after they were scored: rollouts/*.jsonl")


def test_groups_that_are_dropped_are_told() -> None:
    (told,) = cautions(Read({"algo.dynamic_filtering_enable": True}))
    assert "fewer steps than planned" in told


def test_advantages_that_rounding_makes_are_told_of_openrlhf_s_own_call() -> None:
    divided = Read({"algo.advantage.estimator": "group_norm"})
    (told,) = cautions(divided, plain=True)
    assert told.startswith("server.agent: ")
    assert cautions(divided) == cautions(Read({"algo.advantage.estimator": "dr_grpo"}), plain=True) == []


def test_evaluations_that_are_kept_beside_the_training_are_told() -> None:
    (told,) = cautions(Read({"eval.dataset": "test.jsonl"}))
    assert "completions of evaluations" in told


@pytest.mark.parametrize("name", recipe_names())
def test_of_a_shipped_recipe_there_is_nothing_to_tell(name: str) -> None:
    assert cautions(Read(read_recipe(name).flags)) == []
    off = {"reward.stop_properly_penalty_coef": None, "reward.overlong_buffer_len": None, "eval.dataset": None}
    assert cautions(Read({**off, "reward.normalize_enable": False, "algo.dynamic_filtering_enable": False})) == []
