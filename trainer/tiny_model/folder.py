"""A model's folder: written whole or not at all."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from trainer.tiny_model.architecture import LONGEST
from trainer.tiny_model.tokenizer import save_tokenizer


class FolderError(ValueError):
    """A folder that cannot be written to: names it and the reason."""


def refuse_filled(folder: Path) -> None:
    """Raise FolderError where something is in the way already."""
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder} is a file")
    if folder.is_dir() and any(folder.iterdir()):
        raise FolderError(f"{folder} is not empty")


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A folder `NAME.part` to write to, whose files then take their places in the folder; it goes if writing fails.

    Files that are in the folder already stay, unless one of the same name replaces them. Raises FolderError.
    """
    part = folder.with_name(f"{folder.name}.part")
    try:
        part.mkdir(parents=True)
    except FileExistsError:
        raise FolderError(f"{part} is there already: it is being written, or left over and to be deleted") from None
    except OSError as error:
        raise FolderError(f"{part}: {error.strerror}") from None
    try:
        yield part
        folder.mkdir(exist_ok=True)
        for file in part.iterdir():
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(part)


def save(model: Qwen2ForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the weights in bfloat16, their configuration, and the tokenizer. The model given stays in float32."""
    deepcopy(model).bfloat16().save_pretrained(folder)
    _name_the_rope_base(folder / "config.json")
    # safetensors leaves its files to their owner alone, and a package's are for everybody.
    (folder / "model.safetensors").chmod(0o644)
    save_tokenizer(tokenizer, folder, LONGEST)


def _name_the_rope_base(file: Path) -> None:
    """Say RoPE's base where transformers 4 looks for it, too: it would take another one without a word."""
    config = json.loads(file.read_text(encoding="utf-8"))
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
