"""Which weights are served, and which may be loaded into them."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import save
from transformers import Qwen2Config

from reward_server.vllm_plugin.weights import FolderError, check_folder, commit, digest, now, tensors

CONFIG: dict[str, Any] = {
    "model_type": "qwen2",
    "architectures": ["Qwen2ForCausalLM"],
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "tie_word_embeddings": True,
    "rope_theta": 10000.0,
}
SERVED = Qwen2Config(**CONFIG).to_dict() | {"architectures": ["Qwen2ForSelfCertainty"]}
SHAPES = {"model.embed_tokens.weight": (512, 64), "model.norm.weight": (64,), "lm_head.weight": (512, 64)}


def weights(shapes: dict[str, tuple[int, ...]]) -> bytes:
    return save({name: torch.zeros(shape) for name, shape in shapes.items()})


WHOLE = weights(SHAPES)


def checkpoint(folder: Path, config: dict[str, Any] | str = CONFIG, data: bytes | None = WHOLE) -> Path:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if data is not None:
        (folder / "model.safetensors").write_bytes(data)
    return folder


def test_the_digest_is_that_of_the_files_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "model-00002.safetensors").write_bytes(b"second")
    (tmp_path / "model-00001.safetensors").write_bytes(b"first")
    (tmp_path / "optimizer.pt").write_bytes(b"not a weight")
    assert digest(tmp_path) == f"sha256:{hashlib.sha256(b'firstsecond').hexdigest()}"


def test_a_folder_without_weights_has_no_digest(tmp_path: Path) -> None:
    assert digest(tmp_path) is None


def test_the_time_is_utc_to_the_second() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now())


def test_a_checkpoint_of_the_same_shape_will_do(tmp_path: Path) -> None:
    check_folder(checkpoint(tmp_path), SERVED, SHAPES)


def test_a_configuration_may_be_written_by_another_version_of_transformers(tmp_path: Path) -> None:
    written = Qwen2Config(**CONFIG).to_dict()
    check_folder(
        checkpoint(tmp_path, written | {"architectures": ["Qwen2ForCausalLM"], "use_cache": False}), SERVED, SHAPES
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_size": 128}, "hidden_size is 128 in .*, but 64 in the model served"),
        ({"vocab_size": 151_936}, "vocab_size is 151936"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ({"rope_theta": 500_000.0}, "rope_.* is .*500000.*, but .*10000"),
        ({"num_key_value_heads": 2}, "num_key_value_heads is 2"),
        ({"architectures": ["Qwen3ForCausalLM"]}, r"architectures is \['Qwen3ForCausalLM'\]"),
        ({"architectures": []}, r"architectures is \[\]"),
        ({"architectures": ["BertModel"]}, r"architectures is \['BertModel'\]"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(FolderError, match=reason):
        check_folder(checkpoint(tmp_path, CONFIG | change), SERVED, SHAPES)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="no folder"):
        check_folder(tmp_path / "nowhere", SERVED, SHAPES)
    with pytest.raises(FolderError, match=r"no \*.safetensors"):
        check_folder(checkpoint(tmp_path, data=None), SERVED, SHAPES)
    for text in ("{", "[]", '"text"', "{}"):
        with pytest.raises(FolderError, match=r"config.json"):
            check_folder(checkpoint(tmp_path, text), SERVED, SHAPES)


def test_tensors_of_several_files_are_one_checkpoint(tmp_path: Path) -> None:
    for number, name in enumerate(SHAPES):
        (tmp_path / f"model-{number}.safetensors").write_bytes(weights({name: SHAPES[name]}))
    assert tensors(tmp_path) == SHAPES
    check_folder(checkpoint(tmp_path, data=None), SERVED, SHAPES)


def test_weights_that_are_not_all_there_are_refused(tmp_path: Path) -> None:
    lacking = {name: shape for name, shape in SHAPES.items() if name != "model.norm.weight"}
    with pytest.raises(FolderError, match=r"lacks tensors, 1 of them: model\.norm\.weight"):
        check_folder(checkpoint(tmp_path, data=weights(lacking)), SERVED, SHAPES)
    with pytest.raises(FolderError, match=r"model.norm.weight has shape \(65,\) in .*, not \(64,\)"):
        check_folder(checkpoint(tmp_path, data=weights(SHAPES | {"model.norm.weight": (65,)})), SERVED, SHAPES)


def test_a_head_that_is_tied_to_the_embeddings_need_not_be_written_twice(tmp_path: Path) -> None:
    untied = {name: shape for name, shape in SHAPES.items() if name != "lm_head.weight"}
    check_folder(checkpoint(tmp_path, data=weights(untied)), SERVED, SHAPES)
    with pytest.raises(FolderError, match=r"lm_head\.weight"):
        check_folder(
            checkpoint(tmp_path, CONFIG | {"tie_word_embeddings": False}, weights(untied)),
            SERVED | {"tie_word_embeddings": False},
            SHAPES,
        )


@pytest.mark.parametrize("data", [WHOLE[:-1], WHOLE + b"x", WHOLE[:20], b"", b"\xff" * 8, b"\x02" + b"\0" * 7 + b"[]"])
def test_a_file_that_is_still_being_written_is_refused_before_anything_is_touched(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FolderError, match=r"model\.safetensors is no"):
        check_folder(checkpoint(tmp_path, data=data), SERVED, SHAPES)


def test_a_branch_as_the_hub_resolves_it_is_the_commit_that_it_was(tmp_path: Path) -> None:
    refs = tmp_path / "models--tiny--qwen2" / "refs"
    refs.mkdir(parents=True)
    (refs / "stable").write_text("0123456789" * 4)
    branch = HfApi().resolve_revision("tiny/qwen2", revision="stable", cache_dir=tmp_path, local_files_only=True)
    assert str(branch) == "stable"
    assert commit(branch) == "0123456789" * 4


def test_a_commit_is_itself_and_what_nobody_resolved_is_not_known() -> None:
    assert commit("abcdef0123" * 4) == "abcdef0123" * 4
    assert commit("main") is commit("abcdef0") is commit(None) is None
