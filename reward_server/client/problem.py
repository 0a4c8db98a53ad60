"""What a server that scores nothing says about it, in words for a trainer's log."""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus

from pydantic import BaseModel, ValidationError

from reward_server import wire
from reward_server.http_sessions import Reply

_MOST_FAULTS = 20
_ROLLOUT = re.compile(r"/rollouts/([0-9]{1,9})(?:/|\Z)")


class _Fault(BaseModel):
    pointer: str = ""
    detail: str


class _Problem(BaseModel):
    """The members of an `application/problem+json` that are told."""

    title: str
    detail: str = ""
    errors: list[_Fault] = []


def describe(reply: Reply, batch: Sequence[wire.Rollout], clean: Callable[[str], str]) -> str:
    """Title, status, detail and every fault of a refusal, with the ids of the rollouts at fault.

    Works for any body, since a proxy may have answered. `clean` makes its text fit for a message.
    """
    try:
        problem = _Problem.model_validate_json(reply.content)
    except ValidationError:
        text = clean(reply.content.decode(errors="replace"))
        return f"{_phrase(reply.status)} ({reply.status}){f': {text}' if text else ''}"
    faults = problem.errors[:_MOST_FAULTS]
    told = [f"{_place(fault.pointer, batch, clean)}{clean(fault.detail)}" for fault in faults]
    if problem.detail and all(problem.detail != fault.detail for fault in faults):
        told.insert(0, clean(problem.detail))
    return ": ".join(filter(None, (f"{clean(problem.title)} ({reply.status})", "; ".join(told))))


def _place(pointer: str, batch: Sequence[wire.Rollout], clean: Callable[[str], str]) -> str:
    if not pointer:
        return ""
    found = _ROLLOUT.match(pointer)
    rollout = batch[int(found[1])] if found and int(found[1]) < len(batch) else None
    name = f" (rollout {clean(rollout.id)!r})" if rollout and rollout.id is not None else ""
    return f"{clean(pointer).removesuffix(':')}{name}: "


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Status"
