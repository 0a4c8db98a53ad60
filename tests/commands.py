"""The commands, run as a user runs them: in a process of their own, in an environment without settings of its own."""

import atexit
import json
import os
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory

REWARD_SERVER = "reward_server"
"""Run as a module, as `reward-server` does."""
SHOP_R1 = str(Path(sysconfig.get_path("scripts"), "shop-r1"))

TIMEOUT = 300
_OURS = ("SHOP_R1_", "REWARD_", "OPENAI_", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")

Done = subprocess.CompletedProcess[str]


def clean_environment(**given: str) -> dict[str, str]:
    """The environment without settings of its own, and with these; on a terminal of 80 columns unless they say."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**clean, "COLUMNS": "80", **given}


def run(
    program: str, *arguments: object, stdin: bytes | None = None, cwd: Path | None = None, **environment: str
) -> Done:
    """REWARD_SERVER or SHOP_R1, to its end.

    It is forked, unless it has something to read or Python is to start in another way.
    """
    variables = clean_environment(**environment)
    command = [program, *map(str, arguments)]
    if stdin is not None or any(name.startswith("PYTHON") for name in environment):
        started = command if os.path.isabs(program) else [sys.executable, "-m", *command]
        done = subprocess.run(started, env=variables, input=stdin, capture_output=True, cwd=cwd, timeout=TIMEOUT)
        return Done(command, done.returncode, done.stdout.decode(), done.stderr.decode())
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        for file in (out, err):
            file.touch()
        request = {
            "command": command,
            "environment": variables,
            "cwd": str(cwd or Path.cwd()),
            "out": str(out),
            "err": str(err),
        }
        status = _exit_status(request)
        return Done(command, status, out.read_bytes().decode(), err.read_bytes().decode())


def _exit_status(request: dict[str, object]) -> int:
    server = _fork_server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request).encode() + b"\n")
    server.stdin.flush()
    if not select([server.stdout], [], [], TIMEOUT)[0]:
        raise subprocess.TimeoutExpired(str(request["command"]), TIMEOUT)
    return int(server.stdout.readline())


@cache
def _fork_server() -> subprocess.Popen[bytes]:
    """The process that all commands of this test process are forked from."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server"],
        env=clean_environment(),
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(server.kill)
    return server
