"""`shop_r1_groups_total`: which groups leave GRPO without a gradient."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.reward_server.service.support import CLICK, SEARCH, TERMINATE, batch, moves, rollout, score
from tests.servers import Server, running_server

SPEC = "shop-r1-no-rationale"


@pytest.fixture(scope="module")
def measured() -> Iterator[Server]:
    with running_server("--spec", SPEC) as running:
        yield running


@contextmanager
def groups_move(server: Server, zero: float, some: float, spec: str = SPEC) -> Iterator[None]:
    name = "shop_r1_groups_total"
    with moves(server, zero, name, spec=spec, variance="zero"), moves(server, some, name, spec=spec, variance="some"):
        yield


def grouped(*rollouts: tuple[str | None, object]) -> list[object]:
    """Rollouts of a click, by group and predicted action."""
    return [rollout(action, CLICK, group=group) for group, action in rollouts]


def test_a_group_whose_rollouts_all_earn_the_same_is_counted_as_one_without_variance(measured: Server) -> None:
    with groups_move(measured, zero=1, some=0):
        score(measured, *grouped(("a", CLICK), ("a", CLICK), ("a", CLICK)))


def test_groups_are_told_apart_wherever_their_rollouts_stand_in_the_request(measured: Server) -> None:
    with groups_move(measured, zero=2, some=1):
        score(
            measured,
            *grouped(("right", CLICK), ("mixed", CLICK), ("wrong", SEARCH), ("mixed", SEARCH)),
            *grouped(("wrong", TERMINATE), ("right", CLICK)),
        )


def test_a_group_that_is_invalid_throughout_has_no_variance(measured: Server) -> None:
    with groups_move(measured, zero=1, some=0):
        score(measured, *[{"completion": text, "label": CLICK, "group": "a"} for text in ("", "x", "{}")])


@pytest.mark.parametrize(
    "alone",
    [[("a", CLICK)], [("a", CLICK), ("b", CLICK)], [(None, CLICK), (None, CLICK)], [("", CLICK), ("", CLICK)]],
    ids=["one rollout", "two groups of one", "no group", "an empty name"],
)
def test_what_is_no_group_of_two_is_not_counted(measured: Server, alone: list[tuple[str | None, object]]) -> None:
    with groups_move(measured, zero=0, some=0):
        score(measured, *grouped(*alone))


def test_the_halves_of_a_group_in_two_requests_are_two_groups(measured: Server) -> None:
    with groups_move(measured, zero=2, some=0):
        score(measured, *grouped(("a", CLICK), ("a", CLICK)))
        score(measured, *grouped(("a", SEARCH), ("a", SEARCH)))


@pytest.mark.parametrize(("log_probability", "zero", "some"), [(-1e-9, 1, 0), (-0.1, 0, 1)])
def test_rewards_that_no_float32_tells_apart_have_no_variance(
    measured: Server, log_probability: float, zero: float, some: float
) -> None:
    sure, other = ({"vocab_size": 4, "top_logprobs": [[value]]} for value in (0.0, log_probability))
    rewards = measured.post("/score?spec=shop-r1", json=batch(rollout(certainty=sure), rollout(certainty=other)))
    assert len(set(rewards.json()["rewards"])) == 2
    with groups_move(measured, zero, some, spec="shop-r1"):
        both = (rollout(certainty=certainty, group="a") for certainty in (sure, other))
        score(measured, *both, path="/score?spec=shop-r1")


def test_openrlhf_which_sends_no_groups_has_none_counted(measured: Server) -> None:
    with groups_move(measured, zero=0, some=0):
        measured.post(json={"query": ["x", "y"], "prompts": ["", ""], "labels": [TERMINATE, TERMINATE]})
