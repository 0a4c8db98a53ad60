"""Rollouts in few words, for the tests of the evaluation."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from reward_server.reward.spec import RewardSpec, load_preset
from trainer.bootstrap import Settings
from trainer.evaluation.evaluation import evaluate_run
from trainer.evaluation.result import Evaluation
from trainer.evaluation.rollouts import observe
from trainer.evaluation.run import BadLines, Run, read_run

SPEC = load_preset("shop-r1")
OPERA = load_preset("opera")
QUICK = Settings(resamples=100)

STOP = {"type": "terminate"}
RED = {"type": "click", "name": "results.red_hat"}
BLUE = {"type": "click", "name": "results.blue_hat"}
SEARCH = {"type": "type_and_submit", "name": "search_input", "text": "red wool hat"}

Line = Mapping[str, Any]


def rollout(label: Mapping[str, str], action: Mapping[str, str] | str, **place: object) -> dict[str, Any]:
    """One line: a completion that takes the action, or is this text."""
    completion = action if isinstance(action, str) else json.dumps({"rationale": "I want to.", "action": action})
    return {"completion": completion, "label": label, **place}


def content(lines: Sequence[Line]) -> bytes:
    """The lines as a file."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def run_of(lines: Sequence[Line], spec: RewardSpec = SPEC, file: str = "run.jsonl") -> Run:
    """The lines, read."""
    return read_run(file, observe(BytesIO(content(lines)), spec), spec, BadLines())


def evaluated(lines: Sequence[Line], settings: Settings = QUICK, spec: RewardSpec = SPEC) -> Evaluation:
    """The lines, read and evaluated."""
    return evaluate_run(run_of(lines, spec), settings)


SHOPPERS = [
    rollout(RED, RED, session="ann", step=1),
    rollout(SEARCH, {**SEARCH, "text": "a red wool hat"}, session="ann", step=2),  # ROUGE-L 2·3/(4+3) = 6/7
    rollout(STOP, RED, session="ann", step=3),
    rollout(BLUE, "I would click.", session="bob", step=1),
    rollout(BLUE, RED, session="bob", step=2),  # ROUGE-L 2·2/(3+3) = 2/3
    rollout(STOP, STOP, session="bob", step=3),
    rollout(STOP, {"type": "hover"}, session="bob", step=4),
]
"""Seven rollouts of two sessions, for which the tests work every figure out by hand."""
