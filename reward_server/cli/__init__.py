"""`reward-server`: serve, and score, explain or compare without a server. One module per command."""

from reward_server.cli.app import app

__all__ = ["app"]
