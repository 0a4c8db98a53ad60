"""What is submitted to a Ray cluster arrives word for word, or is refused by the key of the recipe."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trainer.openrlhf.checks.entrypoint import check_entrypoint
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.recipe import read_recipe, recipe_names
from trainer.openrlhf.run.command import arguments
from trainer.openrlhf.run.folder import RunFolder


def check(name: str, *changes: tuple[str, Any], folder: str = "/runs/my run") -> list[list[str]]:
    recipe = read_recipe(name, changes)
    flags = arguments(recipe, RunFolder(Path(folder)), None)
    check_entrypoint(recipe, flags)
    return flags


def refusal(*changes: tuple[str, Any], folder: str = "/runs/run") -> str:
    with pytest.raises(FlagError) as caught:
        check("grpo", *changes, folder=folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def as_ray_runs_it(words: Sequence[str], folder: Path) -> list[str]:
    """What a program is given at the end: job/cli.py:313 joins, job_supervisor.py:182 has a shell run it."""
    entrypoint = subprocess.list2cmdline(["printf", r"%s\\0", *words])
    done = subprocess.run(entrypoint, shell=True, capture_output=True, cwd=folder, check=False)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("grpo")])
def test_every_shipped_recipe_arrives_whole(name: str, tmp_path: Path) -> None:
    words = [argument for flag in check(name, ("openrlhf.reward.clip_range", [-1002, 1002])) for argument in flag]
    assert as_ray_runs_it(words, tmp_path) == words


@pytest.mark.parametrize("character", "&$`;|<>()[]{}*?#~!'\"\\\n")
def test_what_a_shell_would_take_for_its_own_is_refused(character: str) -> None:
    assert f"has {character!r} in it" in refusal(folder=f"/runs/a{character}b")


@pytest.mark.parametrize(
    ("changes", "folder", "expected"),
    [
        ([("model", "/models/a;b")], "/runs/run", "model: '/models/a;b' has ';' in it"),
        ([], "/runs/a&b", "out: '/runs/a&b/checkpoints' has '&' in it"),
        ([("openrlhf.logger.wandb.project", "$HOME")], "/runs/run", "openrlhf.logger.wandb.project: '$HOME' has '$'"),
        ([("openrlhf.a.b", ["x", "y*"])], "/runs/run", "openrlhf.a.b: 'y*' has '*' in it"),
    ],
)
def test_it_is_told_by_the_key_that_says_it(changes: list[tuple[str, Any]], folder: str, expected: str) -> None:
    assert refusal(*changes, folder=folder).startswith(expected)


def test_openrlhf_s_own_call_would_be_cut_at_its_url() -> None:
    plain = (("server.agent", "plain"), ("server.certainty", "none"), ("server.spec", "binary"))
    assert refusal(*plain).startswith("server.agent: OpenRLHF's own call has a & in its URL")
