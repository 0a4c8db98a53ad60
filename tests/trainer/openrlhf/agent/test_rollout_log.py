"""Scored rollouts are kept as lines that can be read again."""

import json
from pathlib import Path
from typing import Any

from reward_server.wire import Rollout, ScoreResponse
from trainer.openrlhf.agent.rollout_log import RolloutLog

TERMS = {"format": 0.5, "certainty": 0.0, "type": 0.3, "attribute": 0.0, "value": 0.0}


def answer(rollout: Rollout) -> ScoreResponse:
    result: dict[str, Any] = {
        "id": rollout.id,
        "group": rollout.group,
        "reward": 0.8,
        "score": 1.0,
        "terms": TERMS,
        "certainty": None,
        "action": {"type": "terminate"},
        "type_match": True,
        "exact_match": True,
        "reason": None,
    }
    spec = {"name": "shop-r1", "digest": "sha256:00"}
    return ScoreResponse.model_validate(
        {"rewards": [0.8], "scores": [1.0], "results": [result], "spec": spec, "server_version": "1"}
    )


def test_a_line_says_what_earned_what_under_which_spec(tmp_path: Path) -> None:
    rollout = Rollout(id="g/0", group="g", completion="half a pair: \ud83d", label={"type": "terminate", "seen": 2**70})
    log = RolloutLog(tmp_path / "rollouts")
    log.write(rollout, answer(rollout))
    log.write(rollout, answer(rollout))
    (file,) = (tmp_path / "rollouts").iterdir()
    first, second = map(json.loads, file.read_text(encoding="ascii").splitlines())
    assert first == second
    assert (first["id"], first["group"], first["completion"]) == ("g/0", "g", rollout.completion)
    assert first["label"] == rollout.label
    assert (first["result"]["reward"], first["result"]["terms"]) == (0.8, TERMS)
    assert (first["spec"]["digest"], first["server_version"]) == ("sha256:00", "1")


def test_no_file_is_made_before_there_is_something_to_keep(tmp_path: Path) -> None:
    RolloutLog(tmp_path / "rollouts")
    assert list((tmp_path / "rollouts").iterdir()) == []
