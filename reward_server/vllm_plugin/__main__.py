"""`python -m reward_server.vllm_plugin MODEL`: vLLM's API server, set up to measure self-certainty."""

import json
import os
import shlex
import sys
from typing import Annotated

import typer

from reward_server.vllm_plugin import CACHE_CAP
from reward_server.vllm_plugin.architectures import scoring_name
from reward_server.vllm_plugin.versions import UnsupportedVersion, check_version

_PLUGIN = "shop-r1"
_OURS = ("--runner", "--worker-extension-cls")
_SERVER = "vllm.entrypoints.openai.api_server"
_EPILOG = "Example: python -m reward_server.vllm_plugin Qwen/Qwen2.5-3B-Instruct --port 8000 --max-model-len 32768"

app = typer.Typer(add_completion=False)


@app.command(epilog=_EPILOG, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def main(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Hugging Face id or folder of a decoder-only language model.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the model.")] = None,
    hf_overrides: Annotated[str, typer.Option(help="As vLLM's own, without architectures.")] = "{}",
    cache_cap: Annotated[
        bool, typer.Option(help="Keep prefix-cache hits off what is asked about, so that nothing is computed twice.")
    ] = True,
    host: Annotated[str, typer.Option(help="Address to listen on. Give any other an --api-key.")] = "127.0.0.1",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command instead of running it.")] = False,
) -> None:
    """Serve a model's self-certainty under vLLM. All other options are vLLM's own and go to it as they are."""
    if model.startswith("-"):
        raise typer.BadParameter("MODEL comes first, and then the options", param_hint="MODEL")
    if any(option.split("=")[0] in _OURS for option in context.args):
        raise typer.BadParameter(f"{' and '.join(_OURS)} are set here, and cannot be set otherwise")
    try:
        check_version()
        overrides = _object(hf_overrides) | {"architectures": [scoring_name(_architecture(model, revision))]}
    except (UnsupportedVersion, ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    plugins = [name for name in os.environ.get("VLLM_PLUGINS", "").split(",") if name and name != _PLUGIN]
    variables = {"VLLM_PLUGINS": ",".join([*plugins, _PLUGIN]), CACHE_CAP: str(int(cache_cap))}
    command = [sys.executable, "-m", _SERVER, "--model", model, *(["--revision", revision] if revision else [])]
    command += ["--runner", "pooling", "--hf-overrides", json.dumps(overrides), "--enable-prefix-caching"]
    command += ["--worker-extension-cls", "reward_server.vllm_plugin.worker.WeightReload", "--host", host]
    command += context.args
    if dry_run:
        typer.echo(shlex.join([*(f"{name}={value}" for name, value in variables.items()), *command]))
        return
    os.execve(command[0], command, os.environ | variables)


def _architecture(model: str, revision: str | None) -> str:
    """The model's own architecture, from its config.json."""
    from transformers import AutoConfig

    names = AutoConfig.from_pretrained(model, revision=revision).architectures
    if not names:
        raise ValueError(f"{model}: its config.json names no architecture")
    return str(names[0])


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"--hf-overrides has to be a JSON object, not {text}")
    if "architectures" in found:
        raise ValueError("--hf-overrides: the architectures are set here")
    return found


if __name__ == "__main__":
    app()
