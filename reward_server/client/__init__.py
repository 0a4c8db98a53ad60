"""The client of a trainer: every rollout of a batch gets its reward from a server, or one error says why not."""

from reward_server.client.client import RewardClient
from reward_server.client.errors import (
    BadAnswer,
    RewardError,
    RewardRefused,
    RewardUnavailable,
    ServerUntrusted,
    SpecMismatch,
)
from reward_server.client.options import ClientOptions
from reward_server.client.sync import SyncRewardClient
from reward_server.client.tls import TlsFiles

__all__ = [
    "BadAnswer",
    "ClientOptions",
    "RewardClient",
    "RewardError",
    "RewardRefused",
    "RewardUnavailable",
    "ServerUntrusted",
    "SpecMismatch",
    "SyncRewardClient",
    "TlsFiles",
]
