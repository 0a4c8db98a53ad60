"""The same reward as a careful user would write it with `json` and the `rouge-score` package: the named peer.

Table 1 of the paper and its DARS of 1000, for well-formed labels; no reasons, no digests, no special tokens.
"""

import json
from typing import Any

from rouge_score import rouge_scorer

_SCORER = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)


def reward(completion: str, label: dict[str, str]) -> float:
    """The paper's reward without its certainty term."""
    try:
        answer = json.loads(completion)
    except ValueError:
        return 0.0
    if not isinstance(answer, dict) or set(answer) != {"rationale", "action"}:
        return 0.0
    action: Any = answer["action"]
    if (
        not isinstance(answer["rationale"], str)
        or not isinstance(action, dict)
        or not isinstance(action.get("type"), str)
    ):
        return 0.0
    if action["type"] != label["type"]:
        return 0.5
    total = 0.5 + 0.3
    if action["type"] == "click":
        total += 0.2 * bool(action.get("name")) + 1000 * _similarity(action.get("name", ""), label["name"])
    elif action["type"] == "type_and_submit":
        total += 0.1 * bool(action.get("name")) + 0.1 * bool(action.get("text"))
        total += 0.1 * _similarity(action.get("name", ""), label["name"])
        total += 1000 * _similarity(action.get("text", ""), label["text"])
    return total


def _similarity(predicted: str, label: str) -> float:
    fmeasure: float = _SCORER.score(label, predicted)["rougeL"].fmeasure
    return fmeasure if fmeasure > 0.75 else 0.0
