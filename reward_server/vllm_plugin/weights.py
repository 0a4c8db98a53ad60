"""Which weights are measured with, told by their contents; and which others may take their place."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from reward_server.vllm_plugin.architectures import CAUSAL, scoring_name

_COMMIT = re.compile("[0-9a-f]{40}")
_CHUNK = 2**22
_LENGTH_BYTES = 8
_TIED = "lm_head.weight"
"""Left out by some checkpoints whose head is tied to the embeddings, and not by others."""

SAME = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "sliding_window",
    "use_sliding_window",
    "layer_types",
    "max_window_layers",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "query_pre_attn_scalar",
    "attention_bias",
    "mlp_bias",
    "logit_scale",
    "logits_scaling",
    "attention_multiplier",
    "embedding_multiplier",
    "residual_multiplier",
    "num_experts",
    "num_local_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "norm_topk_prob",
    "tie_word_embeddings",
)
"""What a checkpoint's configuration must have in common with the model that its weights are loaded into."""

Tensors = Mapping[str, tuple[int, ...]]
"""Names of a checkpoint's tensors, and their shapes."""


class Weights(NamedTuple):
    """One version of a model's weights."""

    revision: str | None
    """A commit, a digest of the files, or the name that a reload gave it; None where none of these is known."""
    loaded_at: str
    """RFC 3339, UTC."""
    requested: str | None = None
    """The branch, tag or commit of the Hub that was asked for."""


class FolderError(ValueError):
    """A folder that does not hold weights for the model."""


def now() -> str:
    """The time, RFC 3339, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def commit(revision: str | None) -> str | None:
    """The commit of a revision as vLLM has it, which is huggingface_hub's `ResolvedRevision` where the Hub told one.

    None where nobody knows it: a branch may be other weights tomorrow.
    """
    resolved: str | None = getattr(revision, "resolved", revision)
    return resolved if resolved and _COMMIT.fullmatch(resolved) else None


def digest(folder: Path) -> str | None:
    """SHA-256 of a folder's weight files one after another, by name; None where there are none. Takes seconds a GB."""
    files = _files(folder)
    if not files:
        return None
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    return f"sha256:{found.hexdigest()}"


def tensors(folder: Path) -> dict[str, tuple[int, ...]]:
    """All tensors of a folder's weight files, from their heads. Raises FolderError for a file that is not whole."""
    found: dict[str, tuple[int, ...]] = {}
    for path in _files(folder):
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
                head = json.loads(file.read(min(length, path.stat().st_size)))
            head.pop("__metadata__", None)
            end = max((tensor["data_offsets"][1] for tensor in head.values()), default=0)
            found |= {name: tuple(tensor["shape"]) for name, tensor in head.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise FolderError(f"{path} is no safetensors file: {error}") from None
        if path.stat().st_size != _LENGTH_BYTES + length + end:
            raise FolderError(f"{path} is not whole: is it still being written?")
    return found


def check_folder(folder: Path, model: Mapping[str, Any], needed: Tensors) -> None:
    """Raise FolderError unless the folder holds all weights of the `model`, which is given by its configuration.

    `needed` are the tensors of the checkpoint that it was started with.
    """
    if not needed:
        raise FolderError("the model was not started from safetensors on this machine, to compare others with")
    try:
        if not folder.is_dir():
            raise FolderError(f"no folder {folder} on this machine")
    except OSError as error:
        raise FolderError(f"no folder that can be read: {error.strerror}") from None
    found = tensors(folder)
    if not found:
        raise FolderError(f"no *.safetensors in {folder}")
    config = _configuration(folder)
    names, served = config.get("architectures") or [], model["architectures"]
    if not any(name.endswith(CAUSAL) and scoring_name(name) in served for name in names):
        raise FolderError(f"architectures is {names!r} in {folder}, which is not what is served as {served!r}")
    for name in SAME:
        if config.get(name) != model.get(name):
            raise FolderError(
                f"{name} is {config.get(name)!r} in {folder}, but {model.get(name)!r} in the model served"
            )
    tied = {_TIED} if model.get("tie_word_embeddings") else set()
    for what, names_of in (("lacks", needed.keys() - found.keys()), ("has too many", found.keys() - needed.keys())):
        if others := sorted(names_of - tied):
            raise FolderError(f"{folder} {what} tensors, {len(others)} of them: {others[0]}, …")
    for name in sorted(needed.keys() & found.keys()):
        if needed[name] != found[name]:
            raise FolderError(f"{name} has shape {found[name]} in {folder}, not {needed[name]}")


def _files(folder: Path) -> list[Path]:
    """The weight files that vLLM reads: those of the index, where there is one. Raises FolderError for missing ones."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        files = [folder / name for name in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise FolderError(f"{index} cannot be read: {error}") from None
    for path in files:
        if not path.is_file():
            raise FolderError(f"{path} is in the index, and not there")
    return files


def _configuration(folder: Path) -> dict[str, Any]:
    """A folder's config.json as transformers completes it, which is how vLLM has the served model's."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        return {**config.get_text_config().to_dict(), "architectures": config.architectures}
    except Exception as error:  # transformers raises all kinds
        raise FolderError(f"{folder}/config.json cannot be read: {error}") from None
