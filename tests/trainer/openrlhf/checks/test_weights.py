"""Which files of a folder are a model's weights."""

import json
from pathlib import Path

import pytest

from trainer.openrlhf.checks.weights import weight_files
from trainer.openrlhf.problems import InputError


def found(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).write_bytes(b"")
    return [file.name for file in weight_files(folder, "m")]


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "model-00001-of-00002.safetensors", "pytorch_model.bin", "consolidated.00.safetensors"],
)
def test_weights_are_known_by_their_names(name: str, tmp_path: Path) -> None:
    assert found(tmp_path, name, "training_args.bin", "adapter_model.safetensors") == [name]


@pytest.mark.parametrize("names", [(), ("training_args.bin",), ("optimizer.bin", "scaler.safetensors")])
def test_other_files_are_none(names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model: m has no weights"):
        found(tmp_path, *names)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_must_be_merged_first(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="merge it into its base model first"):
        found(tmp_path, name, "training_args.bin")


def test_an_index_names_the_shards_and_all_must_be_there(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}))
    with pytest.raises(InputError, match=r"lacks part-2\.safetensors, which its model\.safetensors\.index\.json names"):
        found(tmp_path, "part-1.safetensors")
    assert found(tmp_path, "part-2.safetensors") == ["part-1.safetensors", "part-2.safetensors"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": []}'])
def test_an_index_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin.index.json").write_text(text)
    with pytest.raises(InputError, match=r"pytorch_model\.bin\.index\.json that cannot be read"):
        found(tmp_path)
