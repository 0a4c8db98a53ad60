"""Simulated shopping sessions: a story, its pages, and what can be known of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from trainer.sessions.schema import Session, Step
from trainer.sessions.simplify import simplify
from trainer.sessions.storefront.draws import below, random_for
from trainer.sessions.storefront.full.pages import FullPages
from trainer.sessions.storefront.observer import Forecast, Move
from trainer.sessions.storefront.rationales import rationale
from trainer.sessions.storefront.shop import Shop, Size
from trainer.sessions.storefront.shoppers import BUDGETS, PATIENCE, Shopper, User, draw_user, draw_wish
from trainer.sessions.storefront.story import Scene, story
from trainer.sessions.storefront.tiny_pages import tiny_page
from trainer.sessions.storefront.urls import url_of
from trainer.sessions.storefront.views import SEARCH_KEY, View

_DIGITS = 6
_OPENING = datetime(2026, 1, 5, 8, tzinfo=UTC)
_APART = timedelta(minutes=30)
"""From the beginning of one session to that of the next, so that no user is in two at a time."""
_POOL, _POOL_SESSIONS = 20, 80
"""Twenty users share eighty sessions in a row, where their number is not given."""


class Storefront:
    """A shop and its customers, from a seed: the same seed and size, the same sessions, on every machine."""

    def __init__(self, seed: int = 0, size: Size = "tiny", raw: bool = False, users: int | None = None) -> None:
        """`size` says whether pages have about 100 tokens, or are as long and messy as a real shop's; `raw` keeps each
        as the shop sent it; `users` is how many there are, by default one for four sessions. Raises ValueError for
        fewer than one."""
        if users is not None and users < 1:
            raise ValueError(f"users: at least 1 is needed, not {users}")
        self._seed = seed
        self._size = size
        self._raw = raw
        self._users = users
        self._shop = Shop(seed, size)
        self._render: Callable[[View, Random], str] = tiny_page
        if size == "full":
            self._render = FullPages(seed, self._shop.catalogue.offers)

    def sessions(self, count: int) -> Iterator[Session]:
        """The first so many sessions, each made when it is asked for, and the same whatever the `count`."""
        return map(self.session, range(count))

    def session(self, number: int) -> Session:
        """One session, by its number from 0."""
        behaviour, pages, noise = (
            random_for("storefront", self._seed, number, part) for part in ("behaviour", "pages", "noise")
        )
        name, user = self._user(number)
        shopper = Shopper(draw_wish(behaviour), user.budget, user.patience)
        now = _OPENING + _APART * number + timedelta(seconds=below(noise, 300))
        steps = []
        for scene in story(self._shop, shopper, behaviour, pages):
            now += timedelta(seconds=_dwelling(noise))
            steps.append(self._step(scene, shopper, now, noise))
        return Session(
            session=f"storefront-{self._seed}-{number:06}",
            user=name,
            persona=user.persona,
            steps=steps,
            meta={
                "size": self._size,
                "wish": str(shopper.wish),
                "budget": BUDGETS[shopper.budget],
                "patience": PATIENCE[shopper.patience],
            },
        )

    def _user(self, session: int) -> tuple[str, User]:
        random = random_for("storefront", self._seed, session, "user")
        if self._users is None:
            number = session // _POOL_SESSIONS * _POOL + below(random, _POOL)
        else:
            number = below(random, self._users)
        return f"user-{number:04}", draw_user(random_for("storefront", self._seed, "user", number))

    def _step(self, scene: Scene, shopper: Shopper, now: datetime, noise: Random) -> Step:
        raw = self._render(scene.view, noise)
        page = simplify(raw, key="data-key")
        names = page.names_by_key
        return Step(
            html=page.html,
            action=_action(scene.move, names),
            rationale=rationale(scene.alternative, scene.place, scene.view, shopper, noise),
            timestamp=now,
            url=url_of(scene.view.page),
            raw_html=raw if self._raw else None,
            meta={
                "page": type(scene.view.page).__name__.lower(),
                "probability": round(scene.forecast.chance(scene.move), _DIGITS),
                **_noted(scene.forecast, "", names),
                **_noted(scene.forecast_with_persona, "_with_persona", names),
            },
        )


def _noted(forecast: Forecast, suffix: str, names: dict[str, str]) -> dict[str, Any]:
    """What the best prediction is, and how likely it is right."""
    move, chance = forecast.best
    best_type, type_chance = forecast.best_type
    return {
        f"best{suffix}": _action(move, names),
        f"best{suffix}_probability": round(chance, _DIGITS),
        f"best_type{suffix}": best_type,
        f"best_type{suffix}_probability": round(type_chance, _DIGITS),
    }


def _action(move: Move, names: dict[str, str]) -> dict[str, str]:
    """The label of a move on a page whose elements have these names."""
    if move.query is not None:
        return {"type": move.choice.type, "name": names[SEARCH_KEY], "text": str(move.query)}
    if move.choice.type == "terminate":
        return {"type": move.choice.type}
    return {"type": move.choice.type, "name": names[move.choice.key]}


def _dwelling(noise: Random) -> int:
    """Seconds on a page: mostly few, now and then two minutes; no hint of who is waiting."""
    return 3 + int(120 * noise.random() ** 3)
