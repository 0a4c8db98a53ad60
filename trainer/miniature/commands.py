"""Runs the public commands one after the other, as a user would, and keeps how long each took and how much memory."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx
from rich.console import Console
from rich.markup import escape

from trainer.miniature.memory import PeakMemory

_BIN = Path(sys.executable).parent
_START_SECONDS = 60.0


class CommandFailed(Exception):
    """A command that ended with another status than 0: names it."""


class Took(NamedTuple):
    """What a command cost."""

    stage: str
    seconds: float
    peak_bytes: int
    """Of it and all its processes together, shared pages counted once."""


@dataclass
class Commands:
    """Commands of this environment, each shown before it runs. Only those of `shop-r1` and `python -m …`."""

    console: Console
    done: list[Took] = field(default_factory=list)

    def run(self, stage: str, *arguments: str | Path) -> None:
        """Run one to its end; its output goes to this process's. Raises CommandFailed."""
        shown = shlex.join(map(str, arguments))
        self.console.print(f"\n[bold]{escape(stage)}[/]\n[dim]$ {escape(shown)}[/]", soft_wrap=True, highlight=False)
        began = time.monotonic()
        with subprocess.Popen(_argv(arguments)) as process, PeakMemory(process.pid) as memory:
            status = process.wait()
        self.done.append(Took(stage, time.monotonic() - began, memory.bytes))
        if status:
            raise CommandFailed(f"{stage}: `{shown}` ended with status {status}")

    @contextmanager
    def server(self, port: int, log: Path, settings: Mapping[str, str]) -> Iterator[str]:
        """A reward server on this machine, ready; yields its URL. Raises CommandFailed when it does not come up."""
        url = f"http://127.0.0.1:{port}"
        shown = " ".join(f"{name}={value}" for name, value in settings.items())
        self.console.print(
            f"\n[bold]reward server[/]\n[dim]$ {shown} reward-server serve --port {port} &[/]", highlight=False
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [_BIN / "reward-server", "serve", "--port", str(port)],
                env={**os.environ, **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait()


def _argv(arguments: tuple[str | Path, ...]) -> list[str]:
    program, *rest = map(str, arguments)
    return [sys.executable if program == "python" else str(_BIN / program), *rest]


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass  # not yet
        time.sleep(0.2)
    raise CommandFailed(f"the reward server did not become ready; what it said is in {log}")
