"""Simulated sessions -> rollouts of the best possible policy."""

import json

from tests.trainer.evaluation.support import BLUE, RED, SEARCH, SPEC, STOP
from trainer.bootstrap import Settings
from trainer.evaluation.best_policy import best_rollouts
from trainer.evaluation.evaluation import evaluate_run
from trainer.evaluation.rollouts import observe
from trainer.evaluation.run import BadLines, read_run
from trainer.sessions.schema import Session, Step
from trainer.sessions.storefront import Storefront


def session(name: str, *steps: tuple[dict[str, str], dict[str, str]]) -> Session:
    """A session of (action, best prediction) steps."""
    return Session(session=name, steps=[Step(action=action, meta={"best": best}) for action, best in steps])


SESSIONS = [
    session("a", (SEARCH, SEARCH), (RED, RED), (BLUE, RED), (STOP, STOP)),
    session("b", (SEARCH, SEARCH)),
    session("c", (SEARCH, SEARCH), (SEARCH, STOP)),
]


def test_every_step_but_a_sessions_first_is_a_rollout_in_its_place() -> None:
    lines = [json.loads(line) for line in best_rollouts(SESSIONS)]
    assert [(line["session"], line["step"], line["label"], line["last_action"]) for line in lines] == [
        ("a", 2, RED, SEARCH),
        ("a", 3, BLUE, RED),
        ("a", 4, STOP, BLUE),
        ("c", 2, SEARCH, SEARCH),
    ]


def test_the_completions_are_valid_and_predict_what_is_best() -> None:
    run = read_run("best", observe(best_rollouts(SESSIONS), SPEC), SPEC, BadLines())
    found = evaluate_run(run, Settings(resamples=100))
    assert (found.valid, found.exact_accuracy, found.sessions) == (1, 2 / 4, 2)
    # the search of session c repeats the action before it
    assert found.baselines["copy_last_action"].exact_accuracy == 1 / 4


def test_the_best_policy_is_right_as_often_as_the_simulator_says_it_can_be() -> None:
    sessions = list(Storefront(seed=3, size="tiny").sessions(200))
    run = read_run("best", observe(best_rollouts(sessions), SPEC), SPEC, BadLines())
    chances = [(step.meta or {})["best_probability"] for session in sessions for step in session.steps[1:]]
    exact = evaluate_run(run, Settings(resamples=100)).exact_accuracy
    spread = sum(chance * (1 - chance) for chance in chances) ** 0.5 / len(chances)
    assert abs(exact - sum(chances) / len(chances)) < 4 * spread
