"""What the runs of a swap post, and what it has to earn, scored offline."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reward_server import wire
from tests.servers import COMMAND

GROUP = 8


class Offline(NamedTuple):
    """What `reward-server score` makes of the rollouts under one spec."""

    digest: str
    rewards: Mapping[str, float]
    """By the rollout's id."""


def groups(file: Path) -> Sequence[Sequence[wire.Rollout]]:
    """The rollouts of a file without their logprobs, in whole groups."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rollouts = [wire.Rollout.model_validate(row | {"certainty": None}) for row in rows]
    return [rollouts[start : start + GROUP] for start in range(0, len(rollouts) - GROUP + 1, GROUP)]


def score_offline(file: Path, spec: str, folder: Path) -> Offline:
    """Run the command."""
    out, figures = folder / "results.jsonl", folder / "figures.json"
    flags = ["--spec", spec, "--certainty", "none", "--out", out, "--json", figures]
    subprocess.run([*COMMAND, "score", file, *flags], check=True, capture_output=True)
    results = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    digest = json.loads(figures.read_text(encoding="utf-8"))["spec"]["digest"]
    return Offline(digest, {result["id"]: result["reward"] for result in results})
