"""Where a model's files are: the built-in demo model's, a folder's, or a Hugging Face repository's."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from reward_server.certainty.source import SourceError

DEMO_MODEL = Path(__file__).parent / "demo_model"
"""A tiny model trained on simulated shopping sessions, so that a first try needs no download."""
DEMO_NAME = "shop-r1-demo"

_CHUNK = 2**20


class ModelFiles(NamedTuple):
    """Which model it is, and where to load it from."""

    name: str
    weights: str
    """A folder, or a Hugging Face id."""
    commit: str | None
    """Of an id: the exact commit that its branch or tag is now."""
    tokenizer: Path
    revision: str
    """The commit, or the SHA-256 of a folder's weight files, one after the other in the order of their names."""


def is_demo_model(model: str | None) -> bool:
    """Whether a model, as REWARD_CERTAINTY_MODEL has it, is the built-in demo model."""
    return model is None or Path(model).expanduser().resolve() == DEMO_MODEL.resolve()


def find_model(model: str | None, revision: str | None) -> ModelFiles:
    """The files of a folder, of a Hugging Face id, or of the demo model for None.

    Raises SourceError when there are none, or no `tokenizer.json` among them.
    """
    folder = DEMO_MODEL if model is None else Path(model).expanduser()
    if model is None or folder.is_dir():
        if revision is not None:
            what = "the built-in demo model" if model is None else f"{model!r}, which is a folder,"
            raise SourceError(f"REWARD_CERTAINTY_REVISION: {what} has no revisions; leave it unset")
        return _in_folder(folder, DEMO_NAME if is_demo_model(model) else str(model))
    return _on_hub(model, revision)


def _in_folder(folder: Path, name: str) -> ModelFiles:
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise SourceError(
            f"REWARD_CERTAINTY_MODEL: {name!r} has no *.safetensors; other formats are not read, because they can run "
            "code: save the model again with save_pretrained"
        )
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise SourceError(f"REWARD_CERTAINTY_MODEL: {name!r} has no tokenizer.json, {_FAST_TOKENIZER}")
    return ModelFiles(name, str(folder), None, tokenizer, f"sha256:{_digest(weights)}")


def _on_hub(model: str, revision: str | None) -> ModelFiles:
    # It comes with tokenizers.
    from huggingface_hub import errors, hf_hub_download

    try:
        tokenizer = Path(hf_hub_download(model, "tokenizer.json", revision=revision))
    except errors.HFValidationError:
        reason = "it is neither a folder here nor a Hugging Face id such as Qwen/Qwen2.5-0.5B-Instruct"
    except errors.RevisionNotFoundError:
        raise SourceError(f"REWARD_CERTAINTY_REVISION: {model!r} has no revision {revision!r}") from None
    except errors.RepositoryNotFoundError:
        reason = "there is no such folder here, and no such model on Hugging Face, or HF_TOKEN may not read it"
    # Before the next, of which it is one: the file may well exist, where nobody could look.
    except errors.LocalEntryNotFoundError:
        reason = "there is no such folder here, and Hugging Face cannot be reached; name a folder, or download it"
    except errors.EntryNotFoundError:
        reason = f"it has no tokenizer.json, {_FAST_TOKENIZER}"
    except OSError as error:
        reason = f"Hugging Face did not send it: {' '.join(str(error).split())}"
    else:
        # The cache keeps a file under snapshots/COMMIT.
        commit = tokenizer.parent.name
        return ModelFiles(model, model, commit, tokenizer, commit)
    at_revision = "" if revision is None else f" at revision {revision!r}"
    raise SourceError(f"REWARD_CERTAINTY_MODEL: {model!r}{at_revision}: {reason}")


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


_FAST_TOKENIZER = "without which tokens cannot be told; save its fast tokenizer there with save_pretrained"
