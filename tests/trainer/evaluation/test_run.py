"""Reading a run: what it is clustered by, what it refuses, what it leaves out."""

from typing import Any

import pytest

from tests.trainer.evaluation.support import BLUE, RED, SHOPPERS, STOP, rollout, run_of
from trainer.evaluation.rows import RunError

SOMEWHERE, NOWHERE = {"session": "s"}, {"group": "g"}


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        ([SOMEWHERE, SOMEWHERE, NOWHERE], "line 3 names no session, but line 1 does"),
        ([SOMEWHERE, {}], "line 2 names no session, but line 1 does"),
        ([NOWHERE, SOMEWHERE], "line 2 names a session, but line 1 does not"),
        ([{}, {}, {**NOWHERE, **SOMEWHERE}], "line 3 names a session, but line 1 does not"),
    ],
)
def test_sessions_on_some_lines_only_are_an_error_naming_the_line(places: list[dict[str, str]], reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        run_of([rollout(STOP, STOP, **place) for place in places])


@pytest.mark.parametrize("places", [[NOWHERE, NOWHERE, {}, {}], [{}, NOWHERE, {}, NOWHERE]])
def test_a_rollout_without_a_group_is_a_cluster_of_its_own_beside_the_groups(places: list[dict[str, str]]) -> None:
    run = run_of([rollout(STOP, STOP, **place) for place in places])
    assert (run.tally.table.unit, run.tally.table.alone) == ("group", 2)
    assert (len(run.clusters.whole), len(run.clusters.single)) == (1, 2)


def test_groups_may_differ_within_a_session() -> None:
    run = run_of([rollout(STOP, STOP, session="s", group="g"), rollout(STOP, STOP, session="s")])
    assert run.tally.table.unit == "session"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [([], "it holds no rollouts"), ([{}, {"completion": "x"}], "no line of it can be scored")],
)
def test_a_run_without_a_rollout_is_refused(lines: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(RunError, match=reason):
        run_of(lines)


def test_bad_lines_are_counted_and_the_first_twenty_kept() -> None:
    run = run_of([SHOPPERS[0], *[{"completion": "x"}] * 30, SHOPPERS[1]])
    assert (run.bad.number, [line.line for line in run.bad.first]) == (30, [*range(2, 22)])
    assert [*run.rows["line"]] == [1, 32]


def test_the_commonest_label_action_is_found_and_of_equals_the_first() -> None:
    lines = [rollout(label, STOP) for label in (STOP, RED, BLUE, BLUE, RED)]
    commonest = run_of(lines).commonest
    assert (commonest.type, commonest.action, commonest.rollouts) == ("click", RED, 2)


def test_a_row_takes_60_bytes_whatever_the_lines_hold() -> None:
    lines = [rollout(STOP, "x" * 10_000, session="s" * 512)] * 100
    assert run_of(lines).rows.nbytes == 60 * 100
