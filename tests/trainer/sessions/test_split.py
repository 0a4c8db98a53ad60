"""Splits: decided by id and seed alone."""

from math import sqrt

import pytest

from tests.trainer.sessions.support import located, shopping
from trainer.sessions.schema import Session
from trainer.sessions.split import split_of

SHARES = {"train": 0.8, "test": 0.2}


def session(name: str, user: str | None = None) -> Session:
    return located(shopping(name, user=user)).session


def test_every_session_of_a_user_goes_to_one_split_when_users_are_kept_apart() -> None:
    for user in range(50):
        found = {split_of(session(f"{user}-{visit}", f"u{user}"), SHARES, "user", 0) for visit in range(20)}
        assert len(found) == 1


def test_sessions_of_one_user_are_divided_when_only_sessions_are_kept_apart() -> None:
    assert {split_of(session(str(visit), "u"), SHARES, "session", 0) for visit in range(100)} == {"train", "test"}


def test_the_shares_are_met_within_chance() -> None:
    count = 20_000
    in_test = sum(split_of(session(str(number)), SHARES, "session", 7) == "test" for number in range(count))
    assert abs(in_test / count - 0.2) < 4 * sqrt(0.2 * 0.8 / count)


def test_another_seed_divides_otherwise() -> None:
    names = [str(number) for number in range(200)]
    first, second = ([split_of(session(name), SHARES, "session", seed) for name in names] for seed in (0, 1))
    assert first != second


def test_a_session_without_a_user_has_no_split_by_user() -> None:
    assert split_of(session("a"), SHARES, "user", 0) is None
    assert split_of(session("a"), SHARES, "session", 0) is not None


@pytest.mark.parametrize("shares", [{"all": 1.0}, {"a": 0.1, "b": 0.2, "c": 0.7}])
def test_every_session_is_in_one_of_the_splits(shares: dict[str, float]) -> None:
    assert {split_of(session(str(number)), shares, "session", 0) for number in range(300)} == shares.keys()
