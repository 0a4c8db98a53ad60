"""Evaluation lines: what a rollout line may hold besides, and what makes one bad."""

from io import BytesIO

import pytest

from reward_server.rollout_files import BadLine, score_lines
from reward_server.scoring import Scorer
from tests.trainer.evaluation.support import RED, SHOPPERS, SPEC, STOP, content, rollout
from trainer.evaluation.rollouts import Observation, observe, without_certainty


def seen(*lines: dict[str, object]) -> list[Observation | BadLine]:
    return list(observe(BytesIO(content(lines)), SPEC))


def test_cards_are_those_of_the_scoring_command_under_the_spec_without_certainty() -> None:
    plain = Scorer(without_certainty(SPEC), None)
    scored = list(score_lines(BytesIO(content(SHOPPERS)), plain))
    assert [item.card for item in seen(*SHOPPERS)] == [item.scored.card for item in scored]


def test_only_the_certainty_is_taken_from_the_spec() -> None:
    plain = without_certainty(SPEC)
    assert not plain.needs_certainty
    ours, theirs = SPEC.canonical(), plain.canonical()
    del ours["certainty"], theirs["certainty"]
    assert ours == theirs


def test_a_line_says_where_in_which_session_it_stands() -> None:
    (found,) = seen(rollout(STOP, STOP, session="ann", group="g", step=3, last_action={"action": RED}))
    assert isinstance(found, Observation)
    assert (found.session, found.group, found.step) == ("ann", "g", 3)
    assert found.last_action is not None
    assert found.last_action.as_dict() == RED


@pytest.mark.parametrize("last_action", ['{"type": "terminate"}', '{"action": {"type": "terminate"}}', STOP])
def test_a_last_action_comes_in_any_form_a_label_may_have(last_action: object) -> None:
    (found,) = seen(rollout(RED, RED, last_action=last_action))
    assert isinstance(found, Observation)
    assert found.last_action is not None
    assert found.last_action.type == "terminate"


def test_null_is_the_same_as_nothing() -> None:
    (found,) = seen(rollout(RED, RED, session=None, step=None, last_action=None))
    assert isinstance(found, Observation)
    assert (found.session, found.step, found.last_action) == (None, None, None)


@pytest.mark.parametrize(
    ("place", "pointer", "reason"),
    [
        ({"session": ""}, "/session", "at least 1 character"),
        ({"session": "x" * 513}, "/session", "at most 512"),
        ({"session": 7}, "/session", "string"),
        ({"step": 0}, "/step", "greater than or equal to 1"),
        ({"step": True}, "/step", "integer"),
        ({"step": 1.5}, "/step", "integer"),
        ({"step": 10**9 + 1}, "/step", "less than or equal to 1000000000"),
        ({"last_action": {"type": "hover"}}, "/last_action/type", "unknown action type 'hover'"),
        ({"last_action": {"action": {"type": "click"}}}, "/last_action/action/name", "needs the field 'name'"),
        ({"last_action": "click"}, "/last_action", "not a JSON object"),
        ({"last_action": []}, "/last_action", "an array"),
    ],
)
def test_a_bad_line_points_at_its_fault(place: dict[str, object], pointer: str, reason: str) -> None:
    good, bad = seen(rollout(STOP, STOP), rollout(STOP, STOP, **place))
    assert isinstance(good, Observation)
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.pointer) == (2, pointer)
    assert reason in bad.reason
