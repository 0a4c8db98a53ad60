"""Splits that never change: where a session goes depends on its id, or its user's, and the seed alone."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Literal

from trainer.sessions.schema import Session

Unit = Literal["session", "user"]
"""What is never divided between two splits."""

_WHOLE = 2**64


def split_of(session: Session, shares: Mapping[str, float], unit: Unit, seed: int) -> str | None:
    """The split a session belongs to, among names with shares that sum to 1; None where a user is needed and unknown.

    Other sessions of the file have no say in it, so a data set that grows keeps its test set out of its training set.
    """
    key = session.session if unit == "session" else session.user
    if key is None:
        return None
    digest = blake2b(f"{seed}/{key}".encode(), digest_size=8).digest()
    position = int.from_bytes(digest) / _WHOLE
    reached = 0.0
    for name, share in shares.items():
        reached += share
        if position < reached:
            return name
    return name
