"""The last line against flags that hide in values; OpenRLHF's own parser is tested in tests/e2e/test_recipes.py."""

import argparse

import pytest

from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.parser import check_kept

OURS = ["--train.agent_func_path", "/ours.py", "--actor.num_nodes", "1"]


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    made.add_argument("--train.agent_func_path")
    made.add_argument("--reward.remote_url")
    made.add_argument("--actor.num_nodes", type=int, default=1)
    made.add_argument("--actor.adam.betas", type=float, nargs="+")
    return made


def test_flags_of_their_own_keep_ours(parser: argparse.ArgumentParser) -> None:
    check_kept(parser, OURS, ["--actor.adam.betas", "0.9", "0.95"], "grpo")


@pytest.mark.parametrize(
    ("smuggled", "told"),
    [
        ("--train.agent_func_path=/evil.py", "--train.agent_func_path /evil.py, which follows from server.agent"),
        ("--actor.num_nodes=2", "--actor.num_nodes 2, which follows from nodes"),
        ("--reward.remote_url=http://evil", "--reward.remote_url http://evil, which follows from server"),
    ],
)
def test_a_flag_among_the_values_of_another_is_found(smuggled: str, told: str, parser: argparse.ArgumentParser) -> None:
    with pytest.raises(FlagError, match=told):
        check_kept(parser, OURS, ["--actor.adam.betas", "0.9", "0.95", smuggled], "grpo")
