"""The best accuracy that anyone can reach on simulated sessions, from what the simulator noted at every step."""

from collections.abc import Iterable
from typing import NamedTuple

from trainer.sessions.schema import Session


class Ceiling(NamedTuple):
    """Shares of steps that the best possible prediction gets right, on average over what chance may bring."""

    exact: float
    """Type and every field, from the pages and actions of the session so far."""
    type: float
    """The action type alone."""
    exact_with_persona: float
    """The same for one who also knows the persona."""
    type_with_persona: float
    steps: int
    """How many steps were counted."""


def ceiling(sessions: Iterable[Session], first_step: bool = False) -> Ceiling:
    """The ceiling of these very steps; a session's first, which the paper never predicts, only with `first_step`.

    Raises ValueError for sessions that are not the storefront's, and where there is no step to count.
    """
    sums = [0.0] * 4
    steps = 0
    for session in sessions:
        for number, step in enumerate(session.steps):
            if number == 0 and not first_step:
                continue
            meta = step.meta or {}
            try:
                noted = [meta[name] for name in _NOTED]
            except KeyError as error:
                raise ValueError(f"{session.session}: step {number + 1}: the meta has no {error}") from None
            sums = [total + chance for total, chance in zip(sums, noted, strict=True)]
            steps += 1
    if not steps:
        raise ValueError("there is no step to count")
    exact, of_type, exact_with_persona, type_with_persona = (total / steps for total in sums)
    return Ceiling(exact, of_type, exact_with_persona, type_with_persona, steps)


_NOTED = (
    "best_probability",
    "best_type_probability",
    "best_with_persona_probability",
    "best_type_with_persona_probability",
)
