"""Data and models that were exchanged under a run are told apart."""

from hashlib import sha256
from pathlib import Path

import pytest

from trainer.openrlhf.checks.fingerprints import check_fingerprints, fingerprints
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.run.folder import RunFolder

FOLDER = RunFolder(Path("/runs/grpo"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"1234")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "rl.jsonl"
    file.write_text("{}\n")
    return file


def test_the_data_s_is_its_sha256(model: Path, data: Path) -> None:
    assert fingerprints(str(model), data)["data"] == f"sha256:{sha256(b'{}' + bytes([10])).hexdigest()}"


def test_the_same_model_and_data_have_the_same(model: Path, data: Path) -> None:
    before = fingerprints(str(model), data)
    (model / "README.md").write_text("new")
    check_fingerprints(FOLDER, before, fingerprints(str(model), data))
    assert before.keys() == {"data", "model"}


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("rl.jsonl", "{ }\n", "another data"),
        ("model/config.json", "{ }", "another model"),
        ("model/model.safetensors", "12345", "another model"),
        ("model/model.safetensors", "1235", "another model"),
        ("model/model-00002-of-00002.safetensors", "", "another model"),
    ],
)
def test_what_was_exchanged_is_named(file: str, content: str, named: str, model: Path, data: Path) -> None:
    before = fingerprints(str(model), data)
    (data.parent / file).write_text(content)
    with pytest.raises(FolderError, match=named):
        check_fingerprints(FOLDER, before, fingerprints(str(model), data))


def test_a_model_of_the_hub_has_none_and_is_not_a_folder_s(model: Path, data: Path) -> None:
    of_hub = fingerprints("nobody/no-such-model", data)
    assert of_hub.keys() == {"data"}
    with pytest.raises(FolderError, match="another model"):
        check_fingerprints(FOLDER, of_hub, fingerprints(str(model), data))
