"""Which weights are served, and which may be loaded into them."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from reward_server.vllm_plugin.weights import FolderError, check_folder, digest, now

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "vocab_size": 512,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "tie_word_embeddings": True,
}
SERVED = CONFIG | {"architectures": ["Qwen2ForSelfCertainty"]}


def checkpoint(folder: Path, config: dict[str, Any] | str = CONFIG, weights: bytes | None = b"w") -> Path:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    if weights is not None:
        (folder / "model.safetensors").write_bytes(weights)
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
    check_folder(checkpoint(tmp_path), SERVED)


def test_what_a_configuration_does_not_say_is_not_held_against_it(tmp_path: Path) -> None:
    check_folder(checkpoint(tmp_path, {"architectures": ["Qwen2ForCausalLM"]}), SERVED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_size": 65}, "hidden_size is 65 in .*, but 64 in the model served"),
        ({"vocab_size": 151_936}, "vocab_size is 151936"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ({"architectures": ["Qwen3ForCausalLM"]}, r"architectures is \['Qwen3ForCausalLM'\]"),
        ({"architectures": []}, r"architectures is \[\]"),
        ({"architectures": ["BertModel"]}, r"architectures is \['BertModel'\]"),
    ],
)
def test_a_checkpoint_of_another_shape_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(FolderError, match=reason):
        check_folder(checkpoint(tmp_path, CONFIG | change), SERVED)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="no folder"):
        check_folder(tmp_path / "nowhere", SERVED)
    with pytest.raises(FolderError, match=r"no \*.safetensors"):
        check_folder(checkpoint(tmp_path, weights=None), SERVED)
    for text in ("{", "[]", '"text"'):
        with pytest.raises(FolderError, match=r"config.json"):
            check_folder(checkpoint(tmp_path, text), SERVED)
