"""Certainty sources by name."""

from typing import Literal

from reward_server.certainty.source import CertaintySource

SourceName = Literal["rollout", "none"]


def create_source(name: SourceName) -> CertaintySource | None:
    """The source of that name; None for `none`. Imported only when asked for: some need heavy libraries."""
    if name == "none":
        return None
    from reward_server.certainty.rollout import RolloutSource

    return RolloutSource()
