"""Folders and Hub ids are told apart."""

from pathlib import Path

import pytest

from trainer.model_names import means_a_folder


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-3B-Instruct", "gpt2"])
def test_an_id_is_no_folder(name: str) -> None:
    assert not means_a_folder(name)


@pytest.mark.parametrize("name", ["/models/qwen", "./qwen", "~/qwen", "runs/sft/model"])
def test_a_path_is_meant_as_a_folder_though_it_is_not_there(name: str) -> None:
    assert means_a_folder(name)


def test_what_looks_like_an_id_is_a_misspelt_folder_beside_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not means_a_folder("models/qwenn")
    (tmp_path / "models").mkdir()
    assert means_a_folder("models/qwenn")


def test_a_folder_that_is_there_is_one_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt2").mkdir()
    assert means_a_folder("gpt2")
