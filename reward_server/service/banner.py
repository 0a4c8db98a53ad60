"""What a server prints once it listens: where, what scores, and a `curl` to try it with."""

import json
import shlex
import sys
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.text import Text

from reward_server import __version__
from reward_server.certainty.model_files import is_demo_model
from reward_server.certainty.sources import SourceName
from reward_server.reward.spec import RewardSpec
from reward_server.service.state import ServerState
from reward_server.settings import Settings
from reward_server.terminal import printable

_FIELDS = {"name": "add_to_cart.buy_now", "text": "rice cooker"}
_EVIDENCE = {"vocab_size": 151936, "top_logprobs": [[-0.1, -2.5], [-0.01, -5.0]]}
_PROMPT = "The page shows a rice cooker for 34 dollars. What do you do next? "


def print_banner(state: ServerState, port: int) -> None:
    """Print to standard error, which is where logs go."""
    spec = state.default.spec
    url = _url(state.settings, port)
    lines = [
        f"[bold]{url}[/]  {_places(state)}",
        f"spec [bold]{escape(spec.name)}[/] {spec.digest[:19]}…, {len(state.scorers)} loaded",
        *_certainty_lines(state),
    ]
    title = Text(f"Shop-R1 reward server {__version__}")
    # Without emoji, whose table takes as long to load as all the rest takes to print.
    Console(file=sys.stderr, emoji=False).print(Panel("\n".join(lines), title=title, expand=False))
    sys.stderr.write(f"Try it:\n{example_command(state, url)}\n")
    sys.stderr.flush()


def example_command(state: ServerState, url: str) -> str:
    """A `curl` that scores one rollout on this server, for a shell."""
    key = " -H 'Authorization: Bearer KEY'" if state.keys.is_needed else ""
    request = example_request(state.default.spec, state.settings.certainty)
    return f"curl -s {url}/score{_certificates(state.settings)}{key} -d {shlex.quote(json.dumps(request))}"


def example_request(spec: RewardSpec, source: SourceName) -> dict[str, Any]:
    """A request that this spec can score with certainty from this source: a click, if it has clicks."""
    kind = "click" if "click" in spec.actions else next(iter(spec.actions))
    action = {"type": kind, **{name: _FIELDS.get(name, "anything") for name in spec.action_space[kind]}}
    completion = json.dumps({"rationale": "It fits my budget, so I buy it now.", "action": action})
    rollout: dict[str, Any] = {"completion": completion, "label": action}
    if spec.needs_certainty:
        rollout |= {"certainty": _EVIDENCE} if source == "rollout" else {"prompt": _PROMPT}
    return {"rollouts": [rollout]}


def _places(state: ServerState) -> str:
    places = (("API at /openapi.json", state.settings.docs), ("metrics at /metrics", state.settings.metrics))
    return ", ".join(place for place, access in places if access != "off")


def _certainty_lines(state: ServerState) -> list[str]:
    settings = state.settings
    if not state.default.spec.needs_certainty:
        return ["certainty [yellow]not scored[/]: this spec gives the rationale's certainty no weight"]
    model = state.default.source and state.default.source.model
    vllm = urlsplit(settings.vllm_url)
    url = printable(vllm._replace(netloc=vllm.netloc.rpartition("@")[2]).geturl())
    lines = [
        f"certainty from [bold]{settings.certainty}[/]: "
        + {
            "rollout": "each rollout brings top-k logprobs of its rationale",
            "vllm": f"exact, by the model of the vLLM at {url}",
            "vllm-logprobs": f"bounds, from top-{settings.vllm_top_k} logprobs of the vLLM at {url}",
            "local": f"exact, by {printable(model.name) if model else ''} in this process",
        }[settings.certainty]
    ]
    if settings.rollout_certainty and settings.certainty != "rollout":
        lines.append("or from the top-k logprobs of batches that bring them")
    if settings.certainty == "local" and is_demo_model(settings.certainty_model):
        lines += [
            "[yellow]It is a demo model: its certainties mean nothing for your policy.[/]",
            "For real ones set REWARD_CERTAINTY_MODEL to any Hugging Face model,",
            "or REWARD_CERTAINTY to vllm, beside a vLLM that serves your policy.",
        ]
    return lines


def _url(settings: Settings, port: int) -> str:
    """Where a client on this machine finds the server."""
    scheme = "https" if settings.tls_cert else "http"
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - binds nothing
    return f"{scheme}://[{reachable}]:{port}" if ":" in reachable else f"{scheme}://{reachable}:{port}"


def _certificates(settings: Settings) -> str:
    """What curl needs to trust the server's certificate, and to show one of its own where it is asked for."""
    authority = f" --cacert {shlex.quote(str(settings.tls_cert))}" if settings.tls_cert else ""
    return f"{authority} --cert CERT --key KEYFILE" if settings.tls_client_ca else authority
