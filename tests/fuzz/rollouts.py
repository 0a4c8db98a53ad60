"""Requests in both dialects, sound and unsound, and what the same scorer makes of them without a server."""

import asyncio
import json
from typing import Any

import orjson
from hypothesis import strategies as st
from pydantic import ValidationError

from reward_server.certainty.rollout import RolloutSource
from reward_server.reward.spec import load_preset
from reward_server.scoring import BatchError, Scored, Scorer
from reward_server.service import native, openrlhf
from reward_server.service.problems import Problem
from reward_server.settings import Settings
from tests.fuzz.seeds import COMPLETIONS, EVIDENCE, PROMPT
from tests.fuzz.targets import LABELS

Message = dict[str, Any]

SPECS = ("shop-r1", "shop-r1-no-rationale", "binary", "customer-r1")
SCORERS = {name: Scorer(load_preset(name), RolloutSource()) for name in SPECS}
MOST_ROLLOUTS = 8

_ACTIONS = st.sampled_from(LABELS) | st.fixed_dictionaries(
    {"type": st.sampled_from(["click", "terminate", "type_and_submit", "hover"])},
    optional={"name": st.text(max_size=20), "text": st.text(max_size=20), "more": st.none() | st.integers()},
)
COMPLETION = st.one_of(
    st.builds(
        lambda rationale, action: json.dumps({"rationale": rationale, "action": action}),
        st.text(max_size=20) | st.none(),
        _ACTIONS,
    ),
    st.sampled_from(COMPLETIONS),
    st.text(max_size=30),
    st.just('{"rationale": "\ud800", "action": {}}'),
)
_SOUND_LABEL = st.one_of(
    st.sampled_from(LABELS),
    st.builds(lambda label: {"action": label}, st.sampled_from(LABELS)),
    st.builds(json.dumps, st.sampled_from(LABELS)),
)
_LABEL = _SOUND_LABEL | _ACTIONS | st.sampled_from([None, 7, "", "x", {}])
_NAME = st.none() | st.sampled_from(["a", "b"]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_SOUND_EVIDENCE = st.just(EVIDENCE)
_EVIDENCE = st.sampled_from([EVIDENCE, {**EVIDENCE, "vocab_size": 9}, {**EVIDENCE, "top_logprobs": [[0.0], []]}])


def _native(label: st.SearchStrategy[Any], evidence: st.SearchStrategy[Message]) -> st.SearchStrategy[Message]:
    rollout = st.fixed_dictionaries(
        {"completion": COMPLETION, "label": label, "certainty": evidence}, optional={"id": _NAME, "group": _NAME}
    )
    return st.builds(lambda rollouts: {"rollouts": rollouts}, st.lists(rollout, max_size=MOST_ROLLOUTS))


def _openrlhf(label: st.SearchStrategy[Any]) -> st.SearchStrategy[Message]:
    cut = st.sampled_from([0, 0, 0, 0, 0, 0, 9, len(PROMPT) - 5])
    return st.builds(
        lambda samples: {
            "query": [f"{PROMPT[cut:]}{completion}" for completion, _, cut in samples],
            "prompts": [PROMPT] * len(samples),
            "labels": [label for _, label, _ in samples],
        },
        st.lists(st.tuples(COMPLETION, label, cut), max_size=MOST_ROLLOUTS),
    )


# One unsound rollout spoils its batch, so half of them have none.
NATIVE = _native(_SOUND_LABEL, _SOUND_EVIDENCE) | _native(_LABEL, _EVIDENCE)
OPENRLHF = _openrlhf(_SOUND_LABEL) | _openrlhf(_LABEL)


def offline(message: Message, scorer: Scorer) -> tuple[str, list[Scored], bytes]:
    """The kind of problem or "", the scores, and the answer's bytes, as the scorer gives them in this process."""
    dialect = native if "rollouts" in message else openrlhf
    try:
        rollouts = dialect.to_rollouts(dialect.request_type.model_validate(message), Settings())
    except ValidationError:
        return "bad-request", [], b""
    except Problem as problem:
        return problem.kind, [], b""
    try:
        scored = asyncio.run(scorer.score(rollouts))
    except BatchError as error:
        return "bad-label" if error.faults[0].path[0] == "label" else "bad-certainty", [], b""
    return "", scored, orjson.dumps(dialect.reply(rollouts, scored, scorer.spec))
