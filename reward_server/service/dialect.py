"""What a dialect of `POST /score` is: a message in, rollouts to score, a message out. Each dialect is a module."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from reward_server import wire
from reward_server.decoding import JsonPath
from reward_server.reward.spec import RewardSpec
from reward_server.scoring import Fault, Scored
from reward_server.settings import Settings


class Dialect(Protocol):
    """Kept by the modules `native` and `openrlhf`."""

    @property
    def name(self) -> str:
        """What metrics call it."""

    @property
    def request_type(self) -> type[BaseModel]:
        """The message's type."""

    def check_size(self, message: Mapping[str, Any], settings: Settings, /) -> None:
        """Raise a 422 Problem for too many rollouts, before each of them is looked at."""

    def to_rollouts(self, request: Any, settings: Settings, /) -> list[wire.Rollout]:
        """The rollouts of a `request_type`. Raises a 422 Problem for what is over a limit or does not fit together."""

    def locate(self, fault: Fault, /) -> JsonPath:
        """Where in the message a rollout's fault stands."""

    def reply(
        self, rollouts: Sequence[wire.Rollout], scored: Sequence[Scored], spec: RewardSpec, /
    ) -> dict[str, object]:
        """The answer."""
