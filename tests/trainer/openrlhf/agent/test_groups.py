"""Rollouts of one prompt are told from those of all others."""

import asyncio

import pytest

from trainer.openrlhf.agent.groups import Groups, Place


async def rollout(groups: Groups, shared: object, seconds: float) -> Place:
    with groups.place(shared) as place:
        await asyncio.sleep(seconds)
        return place


async def responses(groups: Groups, count: int, seconds: float) -> list[Place]:
    """As `RolloutRayActor.generate_responses` does: one object, one gather."""
    shared = object()
    return await asyncio.gather(*(rollout(groups, shared, seconds * (count - n)) for n in range(count)))


def test_samples_of_one_prompt_share_a_group_and_are_numbered() -> None:
    places = asyncio.run(responses(Groups(), 8, 0.001))
    assert len({place.group for place in places}) == 1
    assert [place.number for place in places] == list(range(8))


def test_prompts_in_flight_together_are_kept_apart() -> None:
    async def three(groups: Groups) -> list[list[Place]]:
        return await asyncio.gather(*(responses(groups, 4, 0.001) for _ in range(3)))

    answers = asyncio.run(three(Groups()))
    assert len({place.group for places in answers for place in places}) == 3
    assert all([place.number for place in places] == [0, 1, 2, 3] for places in answers)


def test_a_later_prompt_is_a_group_of_its_own_even_with_an_object_at_the_same_address() -> None:
    async def one_after_another(groups: Groups) -> list[list[Place]]:
        return [await responses(groups, 2, 0) for _ in range(50)]

    answers = asyncio.run(one_after_another(Groups()))
    assert len({places[0].group for places in answers}) == 50
    assert all([place.number for place in places] == [0, 1] for places in answers)


def test_a_rollout_that_fails_leaves_its_group() -> None:
    groups, shared = Groups(), object()
    for _ in range(2):
        try:
            with groups.place(shared) as place:
                raise RuntimeError
        except RuntimeError:
            assert place.number == 0


def test_engines_have_groups_of_their_own() -> None:
    first, second = (asyncio.run(responses(Groups(), 1, 0)) for _ in range(2))
    assert first[0].group != second[0].group


async def scored(groups: Groups, shared: object, reward: float | None, seconds: float) -> list[float]:
    with groups.place(shared) as place:
        await asyncio.sleep(seconds)
        if reward is None:
            raise RuntimeError
        return sorted(await place.rewards(reward))


def all_scored(*rewards: float | None) -> list[list[float] | BaseException]:
    async def together() -> list[list[float] | BaseException]:
        groups, shared = Groups(), object()
        scoring = [scored(groups, shared, reward, 0.01 * n) for n, reward in enumerate(rewards)]
        return await asyncio.wait_for(asyncio.gather(*scoring, return_exceptions=True), 10)

    return asyncio.run(together())


def test_each_rollout_learns_the_rewards_of_its_whole_group() -> None:
    assert all_scored(1.0, 3.0, 2.0) == [[1.0, 2.0, 3.0]] * 3


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_nobody_waits_for_a_rollout_that_failed(failing: int) -> None:
    rewards = [1.0, 2.0, 3.0]
    found = all_scored(*(None if number == failing else reward for number, reward in enumerate(rewards)))
    assert isinstance(found.pop(failing), RuntimeError)
    del rewards[failing]
    assert found == [rewards, rewards]
