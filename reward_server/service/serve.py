"""Runs the service under uvicorn: a banner once it listens, and a shutdown that finishes what it has begun."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn
from rich.console import Console
from rich.panel import Panel

from reward_server import __version__
from reward_server.service.app import create_app
from reward_server.service.state import ServerState

_EXAMPLE = {
    "rollouts": [
        {
            "completion": json.dumps(
                {
                    "rationale": "It fits my budget, so I buy it now.",
                    "action": {"type": "click", "name": "add_to_cart.buy_now"},
                }
            ),
            "label": {"type": "click", "name": "add_to_cart.buy_now"},
        }
    ]
}


def serve(state: ServerState) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status: 0 after a clean shutdown, 1 if it could not listen."""
    settings = state.settings
    config = uvicorn.Config(
        create_app(state),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        access_log=settings.log_level in ("info", "debug"),
        server_header=False,
    )
    server = _Server(config, state)
    try:
        server.run()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


class _Server(uvicorn.Server):
    """uvicorn, but the first signal starts draining, the second ends that at once, and neither is raised again."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self.state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.state.metrics.ready.set(1)
            port = self.servers[0].sockets[0].getsockname()[1]
            print_banner(self.state, port)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._drain)
        try:
            yield
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(signum)

    def _drain(self) -> None:
        if self.state.draining:
            self.should_exit = True
            return
        self.state.draining = True
        self.state.metrics.ready.set(0)
        asyncio.get_running_loop().call_later(self.state.settings.drain_seconds, self._exit)

    def _exit(self) -> None:
        self.should_exit = True


def print_banner(state: ServerState, port: int) -> None:
    """Say where the server listens, what scores, and how to ask it; the `curl` works as printed."""
    spec = state.default.spec
    url = _url(state.settings.host, port)
    lines = [
        f"[bold]{url}[/]  API at /docs, metrics at /metrics",
        f"spec [bold]{spec.name}[/] {spec.digest[:19]}…, {len(state.scorers)} loaded",
        _certainty_line(state),
    ]
    console = Console(file=sys.stderr)
    console.print(Panel("\n".join(lines), title=f"Shop-R1 reward server {__version__}", expand=False))
    console.print("Try it:")
    print(example_command(state, url), file=sys.stderr, flush=True)  # noqa: T201


def example_command(state: ServerState, url: str) -> str:
    """A `curl` that scores one rollout on this server."""
    example = _EXAMPLE
    if state.default.spec.needs_certainty:
        evidence = {"vocab_size": 151936, "top_logprobs": [[-0.1, -2.5], [-0.01, -5.0]]}
        example = {"rollouts": [{**rollout, "certainty": evidence} for rollout in _EXAMPLE["rollouts"]]}
    key = " -H 'Authorization: Bearer KEY'" if state.keys else ""
    return f"curl -s {url}/score{key} -d '{json.dumps(example)}'"


def _certainty_line(state: ServerState) -> str:
    if not state.default.spec.needs_certainty:
        return "certainty [yellow]not scored[/]: this spec gives the rationale's certainty no weight"
    return f"certainty from [bold]{state.settings.certainty}[/]: each rollout brings top-k logprobs of its rationale"


def _url(host: str, port: int) -> str:
    """Where a client on this machine finds the server."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
