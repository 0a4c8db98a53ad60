"""What the road has to show at its end, with intervals: it trained, and what it trained for went up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_LEAST_VALID = 0.95


class Claim(NamedTuple):
    """Something that a run has to show."""

    name: str
    holds: bool
    found: str


def verdict(accuracy: Path, reward: Path) -> list[Claim]:
    """The claims, from the figures of `shop-r1 evaluate --json`: (untrained, SFT, GRPO) greedy, (SFT, GRPO) sampled."""
    greedy, sampled = orjson.loads(accuracy.read_bytes()), orjson.loads(reward.read_bytes())
    return [
        *(_valid(name, run) for name, run in zip(("SFT", "GRPO"), greedy["runs"][1:], strict=True)),
        *_raised("SFT over untrained", greedy["comparisons"][0], ("exact_accuracy", "type_accuracy")),
        *_raised("GRPO over SFT", sampled["comparisons"][0], ("mean_reward",)),
    ]


def _valid(name: str, run: dict[str, Any]) -> Claim:
    low, high = run["intervals"]["valid"]
    return Claim(f"{name} answers in valid JSON", low >= _LEAST_VALID, f"{run['valid']:.1%} [{low:.1%}, {high:.1%}]")


def _raised(name: str, comparison: dict[str, Any], figures: tuple[str, ...]) -> Iterator[Claim]:
    for figure in figures:
        difference = comparison["differences"][figure]
        low, high = difference["interval"]
        found = f"{difference['difference']:+.4g} [{low:+.4g}, {high:+.4g}]"
        yield Claim(f"{name}: {figure.replace('_', ' ')}", low > 0, found)
