"""Which files of a folder are a model's tokenizer, and which its weights."""

import json
from pathlib import Path

import pytest

from trainer.model_folder import AdapterAlone, NoWeights, has_tokenizer, weight_files


def found(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).write_bytes(b"")
    return [file.name for file in weight_files(folder)]


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "model-00001-of-00002.safetensors", "pytorch_model.bin", "consolidated.00.safetensors"],
)
def test_weights_are_known_by_their_names(name: str, tmp_path: Path) -> None:
    assert found(tmp_path, name, "training_args.bin", "adapter_model.safetensors") == [name]


@pytest.mark.parametrize("names", [(), ("training_args.bin",), ("optimizer.bin", "scaler.safetensors")])
def test_other_files_are_none(names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(NoWeights, match="has no weights"):
        found(tmp_path, *names)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_must_be_merged_first(name: str, tmp_path: Path) -> None:
    with pytest.raises(AdapterAlone, match="merge it into its base model first"):
        found(tmp_path, name, "training_args.bin")


def test_an_index_names_the_shards_and_all_must_be_there(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}))
    with pytest.raises(NoWeights, match=r"lacks part-2\.safetensors, which its model\.safetensors\.index\.json names"):
        found(tmp_path, "part-1.safetensors")
    assert found(tmp_path, "part-2.safetensors") == ["part-1.safetensors", "part-2.safetensors"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": []}'])
def test_an_index_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin.index.json").write_text(text)
    with pytest.raises(NoWeights, match=r"pytorch_model\.bin\.index\.json that cannot be read"):
        found(tmp_path)


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json"])
def test_a_tokenizer_is_known_by_its_vocabulary(file: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").touch()
    assert not has_tokenizer(tmp_path)
    (tmp_path / file).touch()
    assert has_tokenizer(tmp_path)


def test_a_folder_that_is_not_there_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(NoWeights, match="has no weights"):
        weight_files(tmp_path / "gone")
