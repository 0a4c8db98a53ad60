"""A model's folder is written whole, and over nobody's files."""

from pathlib import Path

import pytest

from trainer.tiny_model.folder import FolderError, refuse_filled, written_whole


def test_files_take_their_places_together(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a" / "model") as folder:
        (folder / "config.json").write_text("new")
        assert not (tmp_path / "a" / "model").exists()
    assert {file.name for file in (tmp_path / "a").rglob("*")} == {"model", "config.json"}


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), written_whole(tmp_path / "model") as folder:
        folder.write_text("a folder is no file")
    assert list(tmp_path.iterdir()) == []


def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    (tmp_path / "model" / "config.json").write_text("old")
    with written_whole(tmp_path / "model") as folder:
        (folder / "config.json").write_text("new")
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "model" / "config.json").read_text() == "new"


def test_what_is_left_over_or_being_written_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "model.part").mkdir()
    with pytest.raises(FolderError, match=r"model\.part is there already"), written_whole(tmp_path / "model"):
        pass
    assert (tmp_path / "model.part").is_dir()


def test_a_file_or_a_filled_folder_is_refused(tmp_path: Path) -> None:
    refuse_filled(tmp_path / "new")
    refuse_filled(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="is not empty"):
        refuse_filled(tmp_path)
    with pytest.raises(FolderError, match="is a file"):
        refuse_filled(tmp_path / "file")
