"""Rollouts whose rewards tell them apart, and what each has to earn, worked out without a server."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import orjson

from reward_server import wire
from reward_server.reward.action import read_label
from reward_server.reward.completion import Completion, parse
from reward_server.reward.score import prepare, score
from reward_server.specs import find_spec
from tests.reward_server.certainty.faulty_vllm import tokenizer, told

WORDS = ("quiet", "steel", "rice", "cooker", "small", "red", "garden", "hose", "long", "soft")
PAGE = "<button name='add_to_cart.buy_now'>Buy now</button> Rice cooker, 34 dollars &mdash; 4.5 stars\n"


class Expected(NamedTuple):
    """A rollout, and its reward."""

    rollout: wire.Rollout
    reward: float


def rollouts(count: int, spec_name: str, page_bytes: int = 200) -> Sequence[Expected]:
    """So many, in groups of 8 that share a prompt; their searches come ever closer to their labels, some are invalid.

    Where the spec weighs certainty, it is what the stand-in for vLLM tells.
    """
    spec = find_spec(spec_name)
    found = []
    for number in range(count):
        # A label of n words, and a prediction without the last: precision 1, recall (n - 1) / n, no two alike.
        words = [f"{WORDS[place % 10]}{place}" for place in range(4 + number % 57)]
        label = {"type": "type_and_submit", "name": "search_input", "text": " ".join(words)}
        action = label if number % 5 == 0 else {**label, "text": " ".join(words[:-1])}
        rationale = f"Shopper {number} looks for {words[0]}."
        completion = json.dumps({"rationale": rationale, "action": action})
        if number % 11 == 0:
            completion = completion[:-1]
        target = prepare(read_label(label, spec.action_space), spec)
        outcome = parse(completion, spec)
        is_measured = spec.needs_certainty and isinstance(outcome, Completion)
        certainty = _told(completion, rationale) if is_measured else None
        found.append(
            Expected(
                wire.Rollout(
                    completion=completion,
                    label=label,
                    id=f"{number}",
                    group=f"group {number // 8}",
                    prompt=f"Prompt {number // 8}: {PAGE * (page_bytes // len(PAGE))}",
                ),
                score(outcome, target, certainty).reward,
            )
        )
    return found


def groups(expected: Sequence[Expected]) -> list[list[Expected]]:
    """By prompt."""
    rest = iter(expected)
    return list(iter(lambda: list(islice(rest, 8)), []))


def openrlhf_body(rollout: wire.Rollout) -> bytes:
    """The request of stock OpenRLHF, which has the prompt twice."""
    prompt = rollout.prompt or ""
    return orjson.dumps({"query": [prompt + rollout.completion], "prompts": [prompt], "labels": [rollout.label]})


def native_body(batch: Sequence[Expected]) -> bytes:
    """The native request of a batch."""
    return orjson.dumps({"rollouts": [item.rollout.model_dump(exclude_none=True) for item in batch]})


def _told(completion: str, rationale: str) -> float:
    start = len('{"rationale": "')
    return told(tokenizer().encode(completion).ids, start, start + len(rationale))
