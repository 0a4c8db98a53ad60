"""The best possible policy on the built-in storefront, as rollouts: what there is to see without a model."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import orjson

from trainer.sessions.schema import Session


def best_rollouts(sessions: Iterable[Session]) -> BinaryIO:
    """A rollout file of simulated sessions, in which every step but the first is predicted by its `meta["best"]`."""
    lines = (orjson.dumps(rollout, option=orjson.OPT_APPEND_NEWLINE) for rollout in _rollouts(sessions))
    return BytesIO(b"".join(lines))


def _rollouts(sessions: Iterable[Session]) -> Iterator[dict[str, Any]]:
    for session in sessions:
        for number, (before, step) in enumerate(zip(session.steps, session.steps[1:], strict=False), 2):
            best = (step.meta or {})["best"]
            yield {
                "completion": orjson.dumps({"rationale": "It is what most shoppers do here.", "action": best}).decode(),
                "label": step.action,
                "session": session.session,
                "step": number,
                "last_action": before.action,
            }
