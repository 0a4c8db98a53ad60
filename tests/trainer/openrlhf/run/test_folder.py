"""A run's folder: what it holds, when a new run may go there, and when an old one may go on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.openrlhf.support import saved
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.openrlhf.run.folder import Manifest, RayJob, RunFolder, check_digest, check_new, check_resumable

RECIPE = read_recipe("grpo").as_dict()


def manifest(recipe: dict[str, Any] = RECIPE) -> Manifest:
    return Manifest(
        recipe_name="grpo",
        recipe=recipe,
        argv=["python"],
        environment={},
        server=None,
        digest="sha256:00",
        versions={"shop_r1": "1", "openrlhf": None},
        started="2026-01-01T00:00:00+00:00",
        inputs={"data": "sha256:00"},
    )


def refusal(check: Callable[[], object]) -> str:
    with pytest.raises(FolderError) as caught:
        check()
    return str(caught.value)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run")
    folder.write(manifest())
    assert folder.read() == manifest()
    assert read_recipe(str(folder.recipe)) == read_recipe("grpo")
    assert sorted(file.name for file in folder.path.iterdir()) == ["recipe.yaml", "run.json"]


def test_a_new_run_goes_where_nothing_is(tmp_path: Path) -> None:
    check_new(RunFolder(tmp_path / "new"), overwrite=False)
    check_new(RunFolder(tmp_path), overwrite=False)


def test_a_run_that_is_there_stays_unless_it_is_to_go(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(manifest())
    saved(folder)
    (tmp_path / "notes.txt").write_text("mine")
    assert "--resume" in refusal(lambda: check_new(folder, overwrite=False))
    check_new(folder, overwrite=True)
    folder.clear()
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_no_run_made_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    assert "no run's folder" in refusal(lambda: check_new(RunFolder(tmp_path), overwrite=True))
    assert "Not a directory" in refusal(lambda: check_new(RunFolder(tmp_path / "thesis.tex"), overwrite=True))


def test_clearing_follows_no_link(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.write(manifest())
    (tmp_path / "elsewhere").mkdir()
    folder.checkpoints.symlink_to(tmp_path / "elsewhere")
    folder.clear()
    assert (tmp_path / "elsewhere").is_dir()


def test_a_run_goes_on_with_its_own_recipe(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(manifest())
    saved(folder)
    assert check_resumable(folder, RECIPE, "grpo") == manifest()
    moved = {**RECIPE, "stall_minutes": 5.0, "server": {**RECIPE["server"], "url": "http://other:8080"}}
    assert check_resumable(folder, moved, "grpo") == manifest()


def test_a_folder_s_other_spellings_are_no_other_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "sft" / "model").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    folder = RunFolder(tmp_path / "runs" / "grpo")
    folder.write(manifest())
    saved(folder)
    for model, data in (
        (f"{tmp_path}/runs/sft/model", f"{tmp_path}/data/rl.jsonl"),
        ("./runs/sft/model/", "./data/../data/rl.jsonl"),
        ("link/sft/model", "data/rl.jsonl"),
    ):
        again = {**RECIPE, "model": model, "data": data, "out": str(folder.path)}
        assert check_resumable(folder, again, "grpo") == manifest()
    assert check_resumable(folder, {**RECIPE, "out": "where it was moved to"}, "grpo") == manifest()
    assert "model was" in refusal(lambda: check_resumable(folder, {**RECIPE, "model": "runs/sft-2/model"}, "grpo"))
    assert "data was" in refusal(lambda: check_resumable(folder, {**RECIPE, "data": "data/rl-2.jsonl"}, "grpo"))


def test_data_to_evaluate_on_is_the_same_by_any_spelling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(tmp_path / "run")

    def evaluated_on(file: str) -> dict[str, Any]:
        return read_recipe("grpo", [("openrlhf.eval.dataset", file)]).as_dict()

    folder.write(manifest(evaluated_on("eval.jsonl")))
    saved(folder)
    check_resumable(folder, evaluated_on(str(tmp_path / "eval.jsonl")), "grpo")
    other = evaluated_on("other.jsonl")
    assert f"openrlhf.eval.dataset was {tmp_path}/eval.jsonl" in refusal(lambda: check_resumable(folder, other, "grpo"))


def test_what_is_kept_and_logged_may_change(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(manifest())
    saved(folder)
    changes = {"openrlhf.ckpt.save_steps": 5, "openrlhf.ckpt.save_hf": None, "openrlhf.logger.wandb.project": "shop"}
    other = read_recipe("grpo", changes.items()).as_dict()
    assert other != RECIPE
    assert check_resumable(folder, other, "grpo") == manifest()


def test_a_job_is_read_back_and_runs_without_one_are_too(tmp_path: Path) -> None:
    folder, job = RunFolder(tmp_path), RayJob(address="http://head:8265", id="run-1")
    folder.write(manifest().model_copy(update={"ray_job": job}))
    assert folder.read().ray_job == job
    old = manifest().model_dump(exclude={"ray_job"})
    assert Manifest.model_validate(old).ray_job is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"openrlhf.actor.adam.lr": 1e-6}, "openrlhf.actor.adam.lr was 1e-07, and is 1e-06 now"),
        ({"server.spec": "binary"}, "server.spec was shop-r1, and is binary now"),
        ({"openrlhf.train.seed": 7}, "openrlhf.train.seed was not set, and is 7 now"),
        ({"nodes": 2}, "nodes was 1, and is 2 now"),
    ],
)
def test_a_run_does_not_go_on_with_another_recipe(changes: dict[str, Any], expected: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(manifest())
    saved(folder)
    other = read_recipe("grpo", changes.items()).as_dict()
    assert expected in refusal(lambda: check_resumable(folder, other, "grpo"))


def test_a_run_without_a_checkpoint_cannot_go_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert "no run to resume" in refusal(lambda: check_resumable(folder, RECIPE, "grpo"))
    folder.write(manifest())
    folder.checkpoints.mkdir()
    assert "no checkpoint yet" in refusal(lambda: check_resumable(folder, RECIPE, "grpo"))


@pytest.mark.parametrize(
    "tag", ["global_step49", "", ".", "..", "../_actor/global_step50", "global_step50\x00", "x" * 300]
)
def test_a_checkpoint_that_is_not_there_is_named(tag: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(manifest())
    saved(folder, tag)
    assert "which is not there" in refusal(lambda: check_resumable(folder, RECIPE, "grpo"))


def test_a_checkpoint_without_a_model_in_it_is_none(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write(manifest())
    saved(folder)
    (folder.checkpoints / "_actor" / "global_step50" / "mp_rank_00_model_states.pt").unlink()
    assert "which is not there" in refusal(lambda: check_resumable(folder, RECIPE, "grpo"))


def test_deepspeed_s_line_break_belongs_to_no_tag(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    saved(folder, "global_step50\n", actor="")
    folder.check_checkpoint("sft")
    assert folder.steps_saved() == 50


@pytest.mark.parametrize("tag", ["best_global_step5", "global_step", "global_step-5", "step5", "global_step5x"])
def test_a_checkpoint_of_sft_that_says_no_step_is_named(tag: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    saved(folder, tag, actor="")
    assert f"names {tag!r}" in refusal(folder.steps_saved)
    (folder.checkpoints / tag / "mp_rank_00_model_states.pt").parent.mkdir(exist_ok=True)
    (folder.checkpoints / tag / "mp_rank_00_model_states.pt").touch()
    assert f"names {tag!r}" in refusal(lambda: folder.check_checkpoint("sft"))


def test_a_folder_without_a_checkpoint_has_no_steps(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).steps_saved() == 0


def test_a_run_does_not_go_on_under_another_spec(tmp_path: Path) -> None:
    check_digest(RunFolder(tmp_path), manifest(), "sha256:00")
    told = refusal(lambda: check_digest(RunFolder(tmp_path), manifest(), "sha256:11"))
    assert "sha256:00" in told
    assert "sha256:11" in told


@pytest.mark.parametrize(("text", "expected"), [("{", "is not JSON"), ("{}", "recipe_name: Field required")])
def test_a_manifest_that_is_none_is_named(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    assert expected in refusal(RunFolder(tmp_path).read)
