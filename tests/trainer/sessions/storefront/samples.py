"""Simulated sessions that several tests look at, each sample made once."""

from functools import cache

from trainer.sessions.schema import Session, Step
from trainer.sessions.storefront import Storefront
from trainer.sessions.storefront.draws import random_for
from trainer.sessions.storefront.shop import Shop, Size
from trainer.sessions.storefront.shoppers import Shopper, draw_user, draw_wish
from trainer.sessions.storefront.story import Scene, story


@cache
def tiny_sessions() -> list[Session]:
    """Of 20,000 steps; so many users that hardly any comes twice, for a user's sessions are no independent draws."""
    return list(Storefront(seed=1, users=10**9).sessions(4_400))


@cache
def full_sessions() -> list[Session]:
    return list(Storefront(seed=1, size="full", raw=True).sessions(30))


@cache
def scenes_after_the_first(size: Size, count: int) -> list[Scene]:
    """Of many stories, without the pages' markup."""
    return [scene for told in stories(size, count, seed=2) for scene in told[1:]]


def steps(sessions: list[Session]) -> list[Step]:
    return [step for session in sessions for step in session.steps]


def later_steps(sessions: list[Session]) -> list[Step]:
    """All but the first of each session, which is never predicted."""
    return [step for session in sessions for step in session.steps[1:]]


def stories(size: Size, count: int, seed: int = 0) -> list[list[Scene]]:
    """What happened, without the pages' markup."""
    shop = Shop(seed, size)
    found = []
    for number in range(count):
        behaviour, pages = random_for(seed, number, "behaviour"), random_for(seed, number, "pages")
        user = draw_user(behaviour)
        shopper = Shopper(draw_wish(behaviour), user.budget, user.patience)
        found.append(list(story(shop, shopper, behaviour, pages)))
    return found
