"""Real servers for the tests: every one is a `reward-server serve` process, talked to over a socket."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

import httpx

COMMAND = (sys.executable, "-m", "reward_server")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running server process."""

    process: subprocess.Popen[bytes]
    url: str
    banner: str
    """What it printed when it started."""

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def post(self, path: str = "/score", **kwargs: object) -> httpx.Response:
        return self.client.post(path, **kwargs)

    def get(self, path: str, **kwargs: object) -> httpx.Response:
        return self.client.get(path, **kwargs)


@contextmanager
def running_server(
    *flags: str, log: IO[bytes] | None = None, python: str = sys.executable, **environment: str
) -> Iterator[Server]:
    """Start a server on a free port, wait for its banner, stop it with SIGTERM at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}
    with TemporaryFile() as file:
        process = subprocess.Popen(
            [python, *COMMAND[1:], "serve", "--port", "0", *flags],
            env={**clean, **environment},
            stderr=subprocess.PIPE,
            stdout=log or file,
        )
        assert process.stderr is not None
        banner = ""
        while "curl" not in banner:
            line = process.stderr.readline().decode()
            assert line, f"the server did not start: {banner}"
            banner += line
        url = re.search(r"curl -s (https?://\S+)/score", banner)
        assert url is not None
        server = Server(process, url[1], banner)
        try:
            yield server
        finally:
            server.client.close()
            process.terminate()
            process.wait(timeout=60)
            process.stderr.close()
