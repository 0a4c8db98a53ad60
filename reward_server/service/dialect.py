"""What a dialect of `POST /score` is: a message in, rollouts to score, a message out. Each dialect is a module."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from reward_server import wire
from reward_server.decoding import JsonPath
from reward_server.reward.spec import RewardSpec
from reward_server.scoring import Fault, Rollout, Scored
from reward_server.settings import Settings


class Dialect(Protocol):
    """Kept by the modules `native` and `openrlhf`."""

    @property
    def name(self) -> str:
        """What metrics call it."""

    @property
    def request_type(self) -> type[BaseModel]:
        """The message's type."""

    @property
    def flat(self) -> frozenset[str]:
        """Fields that hold most of a message, whose type bounds how deeply they are nested."""

    def count(self, message: Mapping[str, Any], settings: Settings, /) -> int:
        """How many rollouts there are, before each is looked at. Raises a 422 Problem for too many."""

    def to_rollouts(self, request: Any, settings: Settings, /) -> list[wire.Rollout]:
        """The rollouts of a `request_type`. Raises a 422 Problem for what is over a limit or does not fit together."""

    def locate(self, fault: Fault, /) -> JsonPath:
        """Where in the message a rollout's fault stands."""

    def reply(self, rollouts: Sequence[Rollout], scored: Sequence[Scored], spec: RewardSpec, /) -> dict[str, object]:
        """The answer."""
