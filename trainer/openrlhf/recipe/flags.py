"""OpenRLHF's flags as a recipe nests them, flat, and as arguments of a command."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, Literal

Kind = Literal["sft", "grpo"]
"""What trains: the command that runs a recipe."""

Scalar = str | int | float | bool
Value = Scalar | Sequence[Scalar]
Flags = Mapping[str, Value]
"""`actor.adam.lr` -> 1e-7: names without the two dashes. True stands for a flag that takes no value."""

_OF_BOTH = {
    "data.input_key": "data",
    "data.apply_chat_template": "data",
    "data.input_template": "data",
    "ckpt.path": "out",
    "ckpt.output_dir": "out",
    "ckpt.load_enable": "the option --resume",
    "logger.tensorboard_dir": "out",
    "logger.wandb.run_name": "out",
    "logger.wandb.key": "wandb, and the key in WANDB_API_KEY",
    "local_rank": "nodes and gpus_per_node",
    "use_ms": "model, a folder or a Hub id",
}

SET_BY_RECIPE: Mapping[Kind, Mapping[str, str]] = {
    "sft": {
        **_OF_BOTH,
        "model.model_name_or_path": "model",
        "data.dataset": "data",
        "data.dataset_probs": "data",
        "data.dataset_split": "data",
        "data.output_key": "data",
        "data.multiturn": "data",
        "data.tokenizer_chat_template": "model, whose tokenizer has one",
    },
    "grpo": {
        **_OF_BOTH,
        "actor.model_name_or_path": "model",
        "actor.num_nodes": "nodes",
        "actor.num_gpus_per_node": "gpus_per_node or actor_gpus_per_node",
        "ref.num_nodes": "nodes",
        "ref.num_gpus_per_node": "gpus_per_node or actor_gpus_per_node",
        "data.prompt_dataset": "data",
        "data.prompt_probs": "data",
        "data.prompt_split": "data",
        "data.label_key": "data",
        "train.agent_func_path": "server.agent",
        "reward.remote_url": "server",
        "reward.model_name_or_path": "server",
    },
}
"""Flags that follow from other keys of a recipe, by trainer, and the key that says them."""

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
"""What argparse takes for a value though it begins with a dash."""


class FlagTreeError(ValueError):
    """What no command line can say, at a path of keys."""

    def __init__(self, path: tuple[str, ...], reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def flatten(tree: Mapping[str, Any]) -> dict[str, Value]:
    """The flags of a nested map, in its order; null and an empty map are none. Raises FlagTreeError."""
    return dict(_leaves(tree, ()))


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Value]]:
    for key, value in tree.items():
        here = (*path, key)
        if not key.replace("_", "").isalnum() or not key.isascii():
            parts = key.split(".")
            hint = f"; nest it: {': {'.join(parts)}: …{'}' * (len(parts) - 1)}" if "." in key else ""
            raise FlagTreeError(here, f"{key!r} is no part of a flag's name{hint}")
        if isinstance(value, dict):
            yield from _leaves(value, here)
        elif value is not None:
            _check(value, here)
            yield ".".join(here), value


def _check(value: object, path: tuple[str, ...]) -> None:
    if isinstance(value, list):
        if not value:
            raise FlagTreeError(path, "an empty list; write null for the flag's default")
        if any(isinstance(item, bool | list | dict) or item is None for item in value):
            raise FlagTreeError(path, "a list holds numbers or texts")
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, float) and not isfinite(item):
            raise FlagTreeError(path, "not a finite number")
        if isinstance(item, str) and not item.isprintable():
            raise FlagTreeError(path, "a text with characters that cannot be printed")
        if isinstance(item, str) and item.startswith("-") and not _NUMBER.fullmatch(item):
            raise FlagTreeError(path, f"{item!r} begins with a dash, and would be read as a flag of its own")


def to_arguments(flags: Flags) -> list[list[str]]:
    """The arguments, one list a flag; false is a flag left out."""
    return [_argument(f"--{name}", value) for name, value in flags.items() if value is not False]


def _argument(flag: str, value: Value) -> list[str]:
    if value is True:
        return [flag]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [flag, *map(_text, value)]
    return [flag, _text(value)]


def _text(value: Scalar) -> str:
    """A number as argparse takes it: it reads -0.00001, but takes -1e-05 for a flag."""
    if isinstance(value, float) and value < 0 and "e" in repr(value):
        return f"{Decimal(repr(value)):f}"
    return str(value)


class Read:
    """Flags by name with the type a check needs; a fallback stands where a flag is not said."""

    def __init__(self, flags: Mapping[str, Any]) -> None:
        self.flags = flags

    def number(self, name: str, fallback: float) -> float:
        """A number, or the fallback."""
        value = self.flags.get(name)
        return fallback if value is None else float(value)

    def count(self, name: str, fallback: int) -> int:
        """A whole number, or the fallback."""
        value = self.flags.get(name)
        return fallback if value is None else int(value)

    def text(self, name: str, fallback: str) -> str:
        """A text, or the fallback."""
        value = self.flags.get(name)
        return fallback if value is None else str(value)

    def is_on(self, name: str) -> bool:
        """Whether a flag that takes no value is given."""
        return self.flags.get(name) is True

    def pair(self, name: str, fallback: tuple[float, float]) -> tuple[float, float]:
        """Two numbers, or the fallback."""
        value = self.flags.get(name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            return fallback
        first, second = value
        return float(first), float(second)
