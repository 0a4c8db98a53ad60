"""What tells the rollouts of a group apart: the only thing that GRPO learns from."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

TERMS = ("value", "attribute", "type", "format", "certainty")
"""From what weighs most under DARS to what weighs least."""
NOTHING = "nothing"

_SAME = 1e-9


def deciding_terms(folder: Path) -> dict[str, float]:
    """Shares of a run's groups by the weightiest term in which their rollouts differ; `nothing` where all are alike.

    `folder` is the run's `rollouts`. Dividing by the group's standard deviation gives the difference in that term the
    size of 1, be it a thousand or a thousandth.
    """
    groups: defaultdict[str, list[Mapping[str, float]]] = defaultdict(list)
    for line in _lines(folder):
        groups[line["group"]].append(line["result"]["terms"])
    counts = Counter(map(_decides, groups.values()))
    return {term: counts[term] / len(groups) for term in (*TERMS, NOTHING)}


def _decides(group: Sequence[Mapping[str, float]]) -> str:
    for term in TERMS:
        values = [terms[term] for terms in group]
        if max(values) - min(values) > _SAME:
            return term
    return NOTHING


def _lines(folder: Path) -> Iterable[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl")):
        with file.open("rb") as source:
            yield from map(orjson.loads, source)
