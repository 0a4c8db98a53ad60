"""A real HAProxy on this machine; Debian's package `haproxy` has it."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.reward_server.service.support import eventually
from tests.servers import free_port

_CONFIGURATION = """
global
    log stdout format raw daemon
    nbthread 1

defaults
    mode http
    log global
    log-format "request %[date(0,ms)] %ST %ts %rc %s"
    option dontlognull
    # Nothing that goes wrong is to be mended, or blamed on the reload.
    retries 0
    option idle-close-on-response
    timeout connect 5s
    timeout client 300s
    timeout server 300s

frontend generation
    bind {generation_address}
    no log
    http-request return status 200 content-type text/plain string {generation}

frontend gateway
    bind {address}
{rules}
"""


class Request(NamedTuple):
    """A request that the proxy has seen the end of."""

    at: float
    """Seconds since the epoch."""
    status: int
    ended: str
    """`--`, or else HAProxy's letters for who ended it, and when."""
    retries: int
    pod: str


@dataclass
class Proxy:
    """A running HAProxy."""

    folder: Path
    address: str
    generation_address: str
    process: subprocess.Popen[bytes] | None = None
    generation: int = field(default=0)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def load(self, rules: str) -> None:
        """Go by these rules from now on. Requests in flight end as they began."""
        self.generation += 1
        file = self.folder / "haproxy.cfg"
        text = _CONFIGURATION.format(
            generation_address=self.generation_address, generation=self.generation, address=self.address, rules=rules
        )
        file.write_text(text, encoding="utf-8")
        command = [_binary(), "-W", "-f", str(file)]
        checked = subprocess.run([*command, "-c"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr + text
        if self.process is None:
            with self._log.open("wb") as log:
                self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL)
        else:
            self.process.send_signal(signal.SIGUSR2)
        eventually(self._goes_by_them)

    @property
    def requests(self) -> list[Request]:
        lines = [line.split() for line in self._log.read_text(encoding="utf-8").splitlines()]
        return [
            Request(int(line[1]) / 1000, int(line[2]), line[3], int(line[4]), line[5])
            for line in lines
            if line[0] == "request"
        ]

    @property
    def _log(self) -> Path:
        return self.folder / "haproxy.log"

    def _goes_by_them(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "HAProxy did not start"
        try:
            return httpx.get(f"http://{self.generation_address}", verify=False).text == str(self.generation)
        except httpx.TransportError:
            return False


@contextmanager
def running_proxy(folder: Path) -> Iterator[Proxy]:
    """A proxy that starts with its first rules, and is stopped at the end."""
    proxy = Proxy(folder, f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    try:
        yield proxy
    finally:
        if proxy.process is not None:
            proxy.process.terminate()
            proxy.process.wait(timeout=30)


def _binary() -> str:
    # Debian has it where only root's PATH leads.
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    assert found, "haproxy is not installed: apt-get install --no-install-recommends haproxy"
    return found
