"""Which models the source `local` takes, and in which sentence it refuses the others."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertForMaskedLM

from reward_server.certainty.local import LocalSource
from reward_server.certainty.source import SourceError


def edit_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def write_masked_model(folder: Path) -> None:
    config = BertConfig(
        vocab_size=512, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1
    )
    BertForMaskedLM(config).save_pretrained(folder)


def break_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def add_tokens(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"<{number}>" for number in range(512)])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), ["no tokenizer.json", "save_pretrained"]),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), ["no tokenizer"]),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), ["no *.safetensors"]),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x08"), ["cannot be loaded"]),
        (lambda folder: (folder / "config.json").unlink(), ["cannot be loaded"]),
        (lambda folder: edit_config(folder, tie_word_embeddings=False), ["lack 1 of its weights", "lm_head"]),
        (lambda folder: edit_config(folder, auto_map={"AutoConfig": "a.B"}, model_type="ours"), ["cannot be"]),
        (write_masked_model, ["BertForMaskedLM, not a causal language model"]),
        (break_weights, ["not all finite"]),
        (add_tokens, ["ids up to 949", "has 512 tokens"]),
    ],
    ids=[
        "no tokenizer",
        "broken tokenizer",
        "pickled weights",
        "broken weights",
        "no config",
        "a weight is missing",
        "code of its own",
        "a masked model",
        "weights that are no numbers",
        "another model's tokenizer",
    ],
)
def test_a_folder_without_a_causal_language_model_is_refused_in_a_sentence(
    change: Callable[[Path], object], words: list[str], changed: Callable[[Callable[[Path], object]], str]
) -> None:
    with pytest.raises(SourceError) as caught:
        LocalSource(changed(change))
    assert str(caught.value).startswith("REWARD_CERTAINTY_MODEL: ")
    assert [word for word in words if word not in str(caught.value)] == []
    assert len(str(caught.value)) < 600


def test_a_folder_has_no_revisions(folders: dict[str, Path]) -> None:
    with pytest.raises(SourceError, match=r"REWARD_CERTAINTY_REVISION: .* is a folder"):
        LocalSource(str(folders["qwen2"]), "main")


def test_a_path_that_is_not_there_is_no_hugging_face_id_either(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="neither a folder here nor a Hugging Face id"):
        LocalSource(str(tmp_path / "missing"))


def test_without_torch_the_sentence_says_what_to_install(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "reward_server.certainty.causal_model", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SourceError, match=r"REWARD_CERTAINTY: .*pip install 'shop-r1\[local\]'"):
        LocalSource(str(folders["qwen2"]))


COMMIT = "0123456789abcdef0123456789abcdef01234567"

FROM_THE_HUB = """
import sys
from reward_server.certainty.local import LocalSource
from reward_server.certainty.source import SourceError
for name, revision in [("tiny/qwen2", None), ("tiny/qwen2", "v1"), ("tiny/qwen2", "v2"), ("tiny/other", None)]:
    try:
        print(LocalSource(name, revision).model.revision)
    except SourceError as error:
        print(error)
"""


def test_a_hugging_face_id_is_pinned_to_the_commit_that_its_revision_is_now(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    repository = tmp_path / "hub" / "models--tiny--qwen2"
    (repository / "refs").mkdir(parents=True)
    for name in ("main", "v1"):
        (repository / "refs" / name).write_text(COMMIT)
    shutil.copytree(folders["qwen2"], repository / "snapshots" / COMMIT)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", FROM_THE_HUB], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    of_main, of_v1, of_v2, of_other = done.stdout.splitlines()
    assert of_main == of_v1 == COMMIT
    assert "'tiny/qwen2' at revision 'v2'" in of_v2
    assert "'tiny/other': there is no such folder here, and Hugging Face cannot be reached" in of_other
