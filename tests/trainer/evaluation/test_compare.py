"""Two runs on the same sessions."""

import random
from typing import Any

import numpy as np
import pytest

from tests.trainer.evaluation.support import BLUE, QUICK, RED, SHOPPERS, STOP, evaluated, rollout, run_of
from trainer.bootstrap import Settings
from trainer.evaluation.compare import compare, p_value
from trainer.evaluation.result import COMPARED, REWARDS, Comparison
from trainer.evaluation.rows import RunError


def policy(right: float, seed: int, sessions: int = 60) -> list[dict[str, Any]]:
    """Rollouts of the same sessions by a policy that is right with this probability."""
    draws = random.Random(seed)
    steps = [(name, step) for name in range(sessions) for step in range(1, 1 + name % 4)]
    return [
        rollout(STOP if step % 2 else RED, (STOP if step % 2 else RED) if draws.random() < right else BLUE)
        | {"session": f"s{name}", "step": step}
        for name, step in steps
    ]


def compared(reference: list[Any], other: list[Any], settings: Settings = QUICK) -> Comparison:
    return compare(run_of(reference, file="a.jsonl"), run_of(other, file="b.jsonl"), settings)


def test_a_run_does_not_differ_from_itself() -> None:
    found = compared(SHOPPERS, SHOPPERS)
    assert (found.file, found.reference, [*found.differences]) == ("b.jsonl", "a.jsonl", [*COMPARED, *REWARDS])
    for difference in found.differences.values():
        assert (difference.difference, difference.interval, difference.p_value) == (0, (0, 0), 1)


def test_differences_are_the_other_run_minus_the_reference() -> None:
    left, right = policy(0.3, 1), policy(0.6, 2)
    found = compared(left, right).differences
    for figure in (*COMPARED, *REWARDS):
        expected = getattr(evaluated(right), figure) - getattr(evaluated(left), figure)
        assert found[figure].difference == pytest.approx(expected)


def test_the_order_of_lines_and_sessions_does_not_matter() -> None:
    left, right = policy(0.3, 1), policy(0.6, 2)
    shuffled = random.Random(3).sample(right, len(right))
    assert compared(left, shuffled).differences == compared(left, right).differences


def test_a_clear_difference_has_the_smallest_p_there_can_be_and_none_is_ever_zero() -> None:
    found = compared(policy(0.1, 1), policy(0.9, 2), Settings(resamples=500)).differences["exact_accuracy"]
    assert found.p_value == 2 / 501
    assert found.interval is not None
    assert found.interval[0] > 0


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1.0] * 99, 2 * 1 / 100),
        ([-1.0] * 99, 2 * 1 / 100),
        ([1.0] * 95 + [-1.0] * 3 + [0.0], 2 * (1 + 4) / 100),
        ([0.0] * 99, 1),
        ([1.0, -1.0] * 50, 1),
    ],
)
def test_p_values_are_those_of_the_formula(differences: list[float], expected: float) -> None:
    assert p_value(np.array(differences)) == pytest.approx(expected)


def test_p_values_of_policies_that_do_not_differ_are_seldom_small() -> None:
    settings = Settings(resamples=200)
    pairs = [(policy(0.5, seed), policy(0.5, 1000 + seed)) for seed in range(60)]
    found = [compared(*pair, settings).differences["exact_accuracy"].p_value or 0 for pair in pairs]
    small = sum(p < 0.1 for p in found)
    # 6 expected, sd 2.3; the bootstrap of 60 sessions is a little too sure of itself
    assert small <= 15


def test_pairing_narrows_the_interval_of_runs_that_mostly_agree() -> None:
    left = policy(0.5, 1)
    changed = rollout(left[0]["label"], left[0]["label"]) | {"session": left[0]["session"], "step": left[0]["step"]}
    found = compared(left, [changed, *left[1:]]).differences["exact_accuracy"]
    alone = evaluated(left).intervals["exact_accuracy"]
    assert found.interval is not None
    assert alone is not None
    assert found.interval[1] - found.interval[0] < (alone[1] - alone[0]) / 2


def test_runs_without_sessions_are_paired_line_by_line() -> None:
    left = [rollout(label, STOP) for label in (STOP, RED, STOP, BLUE)]
    right = [rollout(label, label) for label in (STOP, RED, STOP, BLUE)]
    assert compared(left, right).differences["exact_accuracy"].difference == 1 / 2
    with pytest.raises(RunError, match=r"the click label on line 2 of a.jsonl has no counterpart on that line"):
        compared(left, [right[0], right[2], right[1], right[3]])


def test_one_session_gives_a_difference_without_interval_and_p() -> None:
    found = compared(SHOPPERS[:3], SHOPPERS[:3]).differences["type_accuracy"]
    assert (found.difference, found.interval, found.p_value) == (0, None, None)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (SHOPPERS[:6], "b.jsonl does not have the labels of a.jsonl: the terminate label on line 7 of a.jsonl"),
        ([*SHOPPERS, rollout(RED, RED, session="bob", step=5)], "the click label on line 8 of b.jsonl"),
        ([*SHOPPERS[:6], {**SHOPPERS[6], "session": "ann"}], "the terminate label on line 7 of a.jsonl has no"),
        ([{**SHOPPERS[0], "label": BLUE}, *SHOPPERS[1:]], "the click label on line 1 of a.jsonl has no counterpart in"),
        ([SHOPPERS[0], *SHOPPERS], "a.jsonl does not have the labels of b.jsonl: the click label on line 2 of b.jsonl"),
        ([rollout(STOP, STOP, group="g")], "a.jsonl is clustered by session and b.jsonl by group"),
    ],
)
def test_runs_on_other_labels_are_refused_naming_the_first_that_is_missing(other: list[Any], reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        compared(SHOPPERS, other)
