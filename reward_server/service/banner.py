"""What a server prints once it listens: where, what scores, and a `curl` to try it with."""

import json
import shlex
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from reward_server import __version__
from reward_server.reward.spec import RewardSpec
from reward_server.service.state import ServerState

_FIELDS = {"name": "add_to_cart.buy_now", "text": "rice cooker"}
_EVIDENCE = {"vocab_size": 151936, "top_logprobs": [[-0.1, -2.5], [-0.01, -5.0]]}


def print_banner(state: ServerState, port: int) -> None:
    """Print to standard error, which is where logs go."""
    spec = state.default.spec
    url = _url(state.settings.host, port)
    lines = [
        f"[bold]{url}[/]  API at /openapi.json, metrics at /metrics",
        f"spec [bold]{escape(spec.name)}[/] {spec.digest[:19]}…, {len(state.scorers)} loaded",
        _certainty_line(state),
    ]
    Console(file=sys.stderr).print(Panel("\n".join(lines), title=f"Shop-R1 reward server {__version__}", expand=False))
    sys.stderr.write(f"Try it:\n{example_command(state, url)}\n")
    sys.stderr.flush()


def example_command(state: ServerState, url: str) -> str:
    """A `curl` that scores one rollout on this server, for a shell."""
    key = " -H 'Authorization: Bearer KEY'" if state.keys else ""
    return f"curl -s {url}/score{key} -d {shlex.quote(json.dumps(example_request(state.default.spec)))}"


def example_request(spec: RewardSpec) -> dict[str, Any]:
    """A request that this spec can score, a click if it has clicks."""
    kind = "click" if "click" in spec.actions else next(iter(spec.actions))
    action = {"type": kind, **{name: _FIELDS.get(name, "anything") for name in spec.action_space[kind]}}
    completion = json.dumps({"rationale": "It fits my budget, so I buy it now.", "action": action})
    rollout: dict[str, Any] = {"completion": completion, "label": action}
    if spec.needs_certainty:
        rollout["certainty"] = _EVIDENCE
    return {"rollouts": [rollout]}


def _certainty_line(state: ServerState) -> str:
    if not state.default.spec.needs_certainty:
        return "certainty [yellow]not scored[/]: this spec gives the rationale's certainty no weight"
    return f"certainty from [bold]{state.settings.certainty}[/]: each rollout brings top-k logprobs of its rationale"


def _url(host: str, port: int) -> str:
    """Where a client on this machine finds the server."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
