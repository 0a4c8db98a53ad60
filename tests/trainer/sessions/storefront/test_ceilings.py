"""The best accuracy that anyone can reach."""

import pytest

from trainer.sessions.schema import Session, Step
from trainer.sessions.storefront import Ceiling, ceiling

LEAVE = {"type": "terminate"}


def step(exact: float, of_type: float, exact_with_persona: float, type_with_persona: float) -> Step:
    return Step(
        action=LEAVE,
        meta={
            "best_probability": exact,
            "best_type_probability": of_type,
            "best_with_persona_probability": exact_with_persona,
            "best_type_with_persona_probability": type_with_persona,
        },
    )


SESSIONS = [
    Session(session="a", steps=[step(0.1, 0.9, 0.2, 0.9), step(0.5, 0.6, 0.7, 0.8)]),
    Session(session="b", steps=[step(0.1, 0.9, 0.2, 0.9), step(0.75, 0.8, 0.75, 1.0), step(0.25, 1.0, 0.5, 1.0)]),
]


def test_the_ceiling_is_the_mean_chance_of_the_best_prediction() -> None:
    # Without first steps: (0.5 + 0.75 + 0.25) / 3, (0.6 + 0.8 + 1) / 3, (0.7 + 0.75 + 0.5) / 3, (0.8 + 1 + 1) / 3.
    assert ceiling(SESSIONS) == pytest.approx(Ceiling(0.5, 0.8, 0.65, 2.8 / 3, 3))


def test_first_steps_count_on_request() -> None:
    assert ceiling(SESSIONS, first_step=True) == pytest.approx(Ceiling(0.34, 0.84, 0.47, 0.92, 5))


def test_sessions_are_read_one_at_a_time() -> None:
    assert ceiling(iter(SESSIONS)).steps == 3


def test_other_sessions_than_the_storefronts_have_no_ceiling() -> None:
    foreign = Session(session="x", steps=[Step(action=LEAVE), Step(action=LEAVE)])
    with pytest.raises(ValueError, match="x: step 2: the meta has no 'best_probability'"):
        ceiling([foreign])


def test_there_is_no_ceiling_of_nothing() -> None:
    with pytest.raises(ValueError, match="no step"):
        ceiling([Session(session="a", steps=[step(1, 1, 1, 1)])])
