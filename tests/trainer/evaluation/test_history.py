"""The action before each rollout: named on the line, or the label of the step before."""

import pytest

from tests.trainer.evaluation.support import BLUE, RED, STOP, evaluated, rollout, run_of
from trainer.evaluation.rows import RunError


def copied(*lines: dict[str, object]) -> float | None:
    """The exact accuracy of the policy that copies the last action."""
    return evaluated(lines).baselines["copy_last_action"].exact_accuracy


def in_session(label: dict[str, str], step: int | None, **more: object) -> dict[str, object]:
    return rollout(label, STOP, session="s", step=step, **more)


def test_the_label_of_the_step_before_is_copied_wherever_it_stands_in_the_file() -> None:
    lines = [in_session(RED, 3), in_session(RED, 1), in_session(RED, 2), in_session(BLUE, 4)]
    assert copied(*lines) == 2 / 4


def test_a_gap_in_the_steps_is_not_bridged() -> None:
    assert copied(in_session(RED, 1), in_session(RED, 3), in_session(RED, 4)) == 1 / 3


def test_another_sessions_step_is_not_the_step_before() -> None:
    lines = [rollout(RED, STOP, session=name, step=step) for step, name in enumerate("abcd", 1)]
    assert copied(*lines) is None


def test_a_last_action_on_the_line_goes_before_the_label_of_the_step_before() -> None:
    assert copied(in_session(RED, 1), in_session(BLUE, 2, last_action=BLUE)) == 1 / 2
    assert copied(in_session(RED, 1), in_session(RED, 2, last_action=BLUE)) == 0


def test_a_last_action_needs_neither_session_nor_step() -> None:
    assert copied(rollout(RED, STOP, last_action=RED), rollout(RED, STOP)) == 1 / 2


def test_another_field_makes_another_action_of_the_right_type() -> None:
    found = evaluated([rollout(RED, STOP, last_action=BLUE)] * 2).baselines["copy_last_action"]
    assert (found.exact_accuracy, found.type_accuracy, found.type_f1_macro) == (0, 1, 1)


def test_a_last_action_of_a_type_that_is_no_label_is_a_miss_and_no_class() -> None:
    found = evaluated([rollout(RED, STOP, last_action=STOP), rollout(RED, STOP, last_action=RED)])
    baseline = found.baselines["copy_last_action"]
    assert (baseline.type_accuracy, baseline.type_f1_macro) == (1 / 2, pytest.approx(2 / 3))


def test_every_sample_of_a_step_has_the_same_step_before() -> None:
    lines = [in_session(RED, 1), in_session(RED, 1), in_session(RED, 2), in_session(RED, 2), in_session(RED, 2)]
    assert copied(*lines) == 3 / 5
    assert run_of(lines).past.repeated_steps == 3


def test_one_step_with_two_labels_is_an_error_that_names_both_lines() -> None:
    lines = [in_session(RED, 2), in_session(STOP, 1), in_session(RED, 2), in_session(BLUE, 2), in_session(RED, 1)]
    with pytest.raises(RunError, match=r"lines 3 and 4 give step 2 of one session different labels"):
        run_of(lines)


def test_steps_of_the_largest_number_do_not_run_into_the_next_session() -> None:
    last = 1_000_000_000
    lines = [rollout(RED, STOP, session=name, step=step) for name in "abcdef" for step in (1, last - 1, last)]
    assert copied(*lines) == 6 / 18


def test_last_actions_that_nobody_tells_are_counted_and_said() -> None:
    told = [in_session(RED, 1), in_session(RED, 2), in_session(RED, 5), in_session(RED, 7, last_action=RED)]
    (found,) = [text for text in evaluated(told).warnings if "copy_last_action" in text and "tells" in text]
    assert "counts 1 rollout as wrong" in found, "step 5; a first step has no last action"
    assert not [text for text in evaluated(told[:2]).warnings if "tells" in text]
