"""Model and data of a run, looked at before anything heavy starts."""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from reward_server.decoding import DecodeError, decode
from reward_server.json_lines import json_lines, too_long
from reward_server.reward.action import ActionSpace, LabelError, read_label
from trainer.model_folder import NoWeights, has_tokenizer, weight_files
from trainer.model_names import means_a_folder
from trainer.openrlhf.problems import InputError
from trainer.openrlhf.recipe.flags import Kind
from trainer.openrlhf.recipe.paths import full_path

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_IMAGE = "<image>"
"""What OpenRLHF replaces by a picture, wherever it stands in a prompt (prompts_dataset.py)."""
_ROLES = ("system", "user", "assistant")
_SHOWN = 5
"""Lines that an error names."""


class TrainingRow(NamedTuple):
    """A row of training data that is sound."""

    line: int
    """Counted from 1."""
    end: int
    """Bytes of the file up to and with this line."""
    messages: list[dict[str, str]]


def check_model(name: str) -> None:
    """Raise InputError for a model that is not there: a folder that lacks something, or an id the Hub cannot have."""
    folder = full_path(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(f"model: {name} has no config.json")
        if not has_tokenizer(folder):
            raise InputError(f"model: {name} has no tokenizer")
        try:
            weight_files(folder)
        except NoWeights as error:
            raise InputError(f"model: {name} {error}") from None
        return
    if folder.exists():
        raise InputError(f"model: {name} is a file; name the folder it lies in")
    if means_a_folder(name) or not _HUB_ID.fullmatch(name):
        raise InputError(f"model: {name} is not there{_maker(name)}")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        from huggingface_hub import try_to_load_from_cache

        if not isinstance(try_to_load_from_cache(name, "config.json"), str):
            raise InputError(f"model: {name} is neither a folder nor in the Hub's cache, and HF_HUB_OFFLINE is set")


def _maker(name: str) -> str:
    """What makes a model that a shipped recipe starts from."""
    if full_path(name) == full_path("out/tiny"):
        return "; `python -m trainer.tiny_model out/tiny --answer-steps 0` makes it"
    made = re.fullmatch(r"(?:.*/)?runs/(sft[\w.-]*)/model", name)
    if made is None:
        return ""
    return f"; `shop-r1 {'sft' if made[1] == 'sft' else f'sft {made[1]}'}` makes it"


def check_data_path(name: str, key: str = "data") -> None:
    """Look at the data file that the recipe's `key` names.

    Raises InputError where it is missing, empty, or has a name that OpenRLHF reads otherwise.
    """
    file = full_path(name)
    if set(",@") & set(str(file)):
        raise InputError(f"{key}: {file} has a comma or an @ in its path, which OpenRLHF takes for several data sets")
    if file.suffix not in (".jsonl", ".json"):
        raise InputError(f"{key}: {name} must be named .jsonl for OpenRLHF to read it as JSON lines")
    try:
        with file.open("rb") as opened:
            if not opened.read(1):
                raise InputError(f"{key}: {name} is empty")
    except OSError as error:
        raise InputError(f"{key}: {name}: {error.strerror}") from None


def training_rows(
    file: BinaryIO, name: str, trainer: Kind, space: ActionSpace | None = None, key: str = "data"
) -> Iterator[TrainingRow]:
    """The rows of the data file that `key` names, in order. With a `space`, labels of RL data must be actions of it.

    Raises InputError once the file has been read, naming the first lines that are no such row and how many there are;
    at once for a file of the other kind.
    """
    read = _sft_messages if trainer == "sft" else _rl_messages(space)
    faults: list[str] = []
    count = rows = 0
    for line in json_lines(file):
        rows += 1
        try:
            messages = read(_row(line.content))
        except _OtherKind as error:
            raise InputError(f"{key}: {name}, line {line.number}: {error}") from None
        except ValueError as error:
            count += 1
            if len(faults) < _SHOWN:
                faults.append(f"line {line.number}: {error}")
            continue
        yield TrainingRow(line.number, line.end, messages)
    if count:
        more = f"; and {count - len(faults):,} more" if count > len(faults) else ""
        raise InputError(f"{key}: {name} has {count:,} bad rows of {rows:,}: {'; '.join(faults)}{more}")
    if not rows:
        raise InputError(f"{key}: {name} is empty")


class _OtherKind(ValueError):
    """A row of data for the other trainer."""


def _row(content: bytes | None) -> dict[str, Any]:
    if content is None:
        raise ValueError(too_long())
    try:
        row = decode(content)
    except DecodeError as error:
        raise ValueError(f"{error.pointer or 'the row'}: {error.reason}") from None
    if not isinstance(row, dict):
        raise ValueError("a row is a JSON object")
    return row


def _sft_messages(row: dict[str, Any]) -> list[dict[str, str]]:
    if "messages" not in row and "prompt" in row:
        raise _OtherKind("a row of RL data, which `shop-r1 grpo` takes; `shop-r1 data sft` makes SFT data")
    messages = _messages(row, "messages")
    if messages[-1]["role"] != "assistant":
        raise ValueError(f"/messages/{len(messages) - 1}/role: the last message is the assistant's")
    return messages


def _rl_messages(space: ActionSpace | None) -> Callable[[dict[str, Any]], list[dict[str, str]]]:
    kinds: set[type] = set()

    def read(row: dict[str, Any]) -> list[dict[str, str]]:
        if "prompt" not in row and "messages" in row:
            raise _OtherKind("a row of SFT data, which `shop-r1 sft` takes; `shop-r1 data rl` makes RL data")
        messages = _messages(row, "prompt")
        if messages[-1]["role"] != "user":
            raise ValueError(f"/prompt/{len(messages) - 1}/role: the last message is the user's")
        for index, message in enumerate(messages):
            if _IMAGE in message["content"]:
                raise ValueError(f"/prompt/{index}/content: OpenRLHF takes the text {_IMAGE} in it for a picture")
        if "label" not in row:
            raise ValueError("/label: it is missing")
        kinds.add(type(row["label"]))
        if len(kinds) > 1:
            raise ValueError("/label: labels are either all texts or all objects, or OpenRLHF's reader fails")
        if space is not None:
            try:
                read_label(row["label"], space)
            except LabelError as error:
                raise ValueError(f"/{'/'.join(('label', *error.path))}: {error.reason}") from None
        return messages

    return read


def _messages(row: dict[str, Any], key: str) -> list[dict[str, str]]:
    messages = row.get(key)
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"/{key}: a list of messages is needed")
    for index, message in enumerate(messages):
        where = f"/{key}/{index}"
        if not isinstance(message, dict):
            raise ValueError(f"{where}: a message is an object with role and content")
        role, content = message.get("role"), message.get("content")
        if role not in _ROLES:
            raise ValueError(f"{where}/role: {str(role)[:40]!r}, and there are {', '.join(_ROLES)}")
        if role == "system" and index:
            raise ValueError(f"{where}/role: only the first message is the system's")
        if not isinstance(content, str) or not content.strip():
            raise ValueError(f"{where}/content: a text is needed")
    return messages
