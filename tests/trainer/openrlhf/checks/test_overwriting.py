"""Clearing a run's folder never removes what the new run is to be made from."""

from pathlib import Path

import pytest

from trainer.openrlhf.checks.overwriting import check_apart, check_survive
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.run.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "runs" / "grpo")
    run.model.mkdir(parents=True)
    (run.checkpoints / "global_step2_hf").mkdir(parents=True)
    run.rollouts.mkdir()
    (tmp_path / "elsewhere").mkdir()
    return run


def is_refused(folder: RunFolder, **inputs: Path | str) -> bool:
    try:
        check_survive(folder, {key: str(name) for key, name in inputs.items()})
    except FolderError as error:
        return all(f"{key}: " in str(error) for key in inputs)
    return False


def test_the_model_and_the_data_of_the_run_to_be_removed_are_kept(folder: RunFolder) -> None:
    assert is_refused(folder, model=folder.model)
    assert is_refused(folder, model=folder.checkpoints / "global_step2_hf")
    assert is_refused(folder, data=folder.rollouts / "rank-0.jsonl")
    assert is_refused(folder, data=folder.history)
    assert is_refused(folder, model=folder.path / ".." / "grpo" / "model")


def test_what_clearing_leaves_alone_may_be_trained_on(folder: RunFolder, tmp_path: Path) -> None:
    assert not is_refused(folder, data=folder.path / "rl.jsonl")
    assert not is_refused(folder, model=tmp_path / "runs" / "grpo-2" / "model")
    assert not is_refused(folder, model="Qwen/Qwen2.5-3B-Instruct")


def test_links_into_the_folder_and_out_of_it_are_seen(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "in").symlink_to(folder.model)
    (tmp_path / "in-the-run").symlink_to(folder.path)
    assert is_refused(folder, model=tmp_path / "in")
    assert is_refused(folder, model=tmp_path / "in-the-run" / "model")
    assert is_refused(RunFolder(tmp_path / "in-the-run"), model=folder.model)
    # Clearing removes the link, and the model can no longer be found.
    folder.tensorboard.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "through").symlink_to(folder.tensorboard)
    assert is_refused(folder, model=folder.tensorboard)
    assert is_refused(folder, model=tmp_path / "through")
    assert not is_refused(folder, model=tmp_path / "elsewhere")


def test_a_run_does_not_go_into_its_model(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (tmp_path / "link").symlink_to(model)
    for out in (model, model / "run", tmp_path / "link" / "run"):
        with pytest.raises(FolderError, match="is the folder of the model"):
            check_apart(RunFolder(out), str(model))
    with pytest.raises(FolderError):
        check_apart(RunFolder(model), str(tmp_path / "link"))
    check_apart(RunFolder(tmp_path / "model-2"), str(model))
    check_apart(RunFolder(tmp_path), str(model))
    check_apart(RunFolder(tmp_path), "Qwen/Qwen2.5-3B-Instruct")
