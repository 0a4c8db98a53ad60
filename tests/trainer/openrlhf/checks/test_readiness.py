"""The start of a run; the checks in a row are tested with the real OpenRLHF, in tests/e2e/test_recipes.py."""

from pathlib import Path

import pytest

from trainer.openrlhf.checks.readiness import Start, sketch
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.command import Where
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.openrlhf.run.folder import check_new


def start(*changes: tuple[str, object], node_rank: int | None = None) -> Start:
    return Start("sft", read_recipe("sft", changes), Where(master="node-0:1", node_rank=node_rank))


def test_a_run_s_folder_is_whole_whatever_folder_it_is_read_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert start().folder.path == tmp_path / "runs" / "sft"


def test_a_second_node_does_not_fill_the_folder_that_the_first_is_about_to_make(tmp_path: Path) -> None:
    first, second = (start(("out", str(tmp_path / "run")), node_rank=rank) for rank in (0, 1))
    second.own_folder.path.mkdir()
    (second.own_folder.path / "log.txt").write_text("waiting")
    check_new(first.own_folder, overwrite=False)
    assert first.own_folder == first.folder == second.folder != second.own_folder


def test_a_recipe_that_can_never_run_has_no_command() -> None:
    with pytest.raises(FlagError, match="63 is no multiple"):
        sketch(start(("openrlhf.train.batch_size", 63)))
