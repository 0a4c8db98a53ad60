"""Servers on one core, and wrk on the other that posts bodies to them."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.servers import free_port, running_server

SERVER_CPU, CLIENT_CPU = "0", "1"
SPEC = "shop-r1-no-rationale"

_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local pause = {pause}
local bodies = {{}}
for number = 1, {count} do
  local file = io.open("{folder}/" .. number, "rb")
  bodies[number] = wrk.format(nil, nil, nil, file:read("*a"))
  file:close()
end
local turn = 0
function request()
  turn = turn % #bodies + 1
  return bodies[turn]
end
if pause > 0 then
  function delay()
    return math.floor(pause * (0.5 + math.random()) + 0.5)
  end
end
function done(summary, latency, requests)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format('\\n{{"calls": %d, "microseconds": %d, "failed": %d, "p50": %f, "p99": %f}}\\n',
    summary.requests, summary.duration, errors + summary.errors.status, latency:percentile(50), latency:percentile(99)))
end
"""


class Load(NamedTuple):
    """What wrk saw."""

    calls: float
    """Per second."""
    p50: float
    """Milliseconds."""
    p99: float


class Target(NamedTuple):
    """A running server."""

    url: str
    pid: int


def check_tools() -> None:
    """Raises SystemExit where a program that this needs is not installed, or there are too few cores."""
    missing = [name for name in ("wrk", "taskset") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}")
    if not {int(SERVER_CPU), int(CLIENT_CPU)} <= os.sched_getaffinity(0):
        raise SystemExit(f"cores {SERVER_CPU} and {CLIENT_CPU} are needed, one for servers and one for wrk")


def peer(name: str, module: str = "apps") -> AbstractContextManager[Target]:
    """One of `apps`, or another module's, on uvicorn as the reward server has it. Raises RuntimeError if it ends."""
    options = [
        "--log-level",
        "error",
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--backlog",
        "2048",
    ]
    return running("uvicorn", f"benchmarks.http.{module}:{name}", *options, "--no-proxy-headers", "--no-server-header")


@contextmanager
def running(server: str, app: str, *options: str) -> Iterator[Target]:
    """An ASGI server's command with an application. Raises RuntimeError if it ends."""
    port = free_port()
    command = [sys.executable, "-m", server, app, "--port", str(port), *options]
    with subprocess.Popen(["taskset", "-c", SERVER_CPU, *command]) as process:
        try:
            while not _listens(port):
                if process.poll() is not None:
                    raise RuntimeError(f"{server} with {app} did not start")
                time.sleep(0.05)
            yield Target(f"http://127.0.0.1:{port}/score", process.pid)
        finally:
            process.terminate()


@contextmanager
def ours(*flags: str, cpus: str = SERVER_CPU) -> Iterator[Target]:
    """The reward server; its processes stay on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
    try:
        with running_server("--spec", SPEC, "--certainty", "none", *flags) as server:
            os.sched_setaffinity(0, before)
            yield Target(f"{server.url}/score", server.process.pid)
    finally:
        os.sched_setaffinity(0, before)


def post(
    url: str, bodies: Sequence[bytes], in_flight: int, seconds: int, pause: float = 0, cpus: str = CLIENT_CPU
) -> Load:
    """Post bodies by turns over kept connections, each waiting for its answer.

    `pause` is the mean of the waits between them, in milliseconds; none is off by more than half. Raises RuntimeError
    if a call fails, or none is answered.
    """
    with TemporaryDirectory() as folder:
        for number, body in enumerate(bodies, 1):
            (Path(folder) / str(number)).write_bytes(body)
        script = Path(folder) / "script.lua"
        script.write_text(_SCRIPT.format(pause=pause, count=len(bodies), folder=folder))
        wrk = ["wrk", "-t1", f"-c{in_flight}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script), url]
        command = ["taskset", "-c", cpus, *wrk]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures = json.loads(told.strip().splitlines()[-1])
    if figures["failed"] or not figures["calls"]:
        raise RuntimeError(f"calls of {url} failed, or none was answered in {seconds} s:\n{told}")
    return Load(1e6 * figures["calls"] / figures["microseconds"], figures["p50"] / 1e3, figures["p99"] / 1e3)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
