"""The sidecar's probe, run here against servers that are well, unwell and away."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.deploy.chart import ci_file, container, render

pytestmark = pytest.mark.e2e


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a server that answers /health with a status, and everything else with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def probe(name: str, port: int, **variables: str) -> int:
    """The exit status of a probe's command, with another port in place of vLLM's."""
    sidecar = container(render(ci_file("sidecar")).one("Deployment"), "vllm")
    python, *arguments = sidecar[name]["exec"]["command"]
    assert python == "python3"
    command = [sys.executable, *(argument.replace("8000", str(port)) for argument in arguments)]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=False).returncode


@pytest.mark.parametrize("name", ["startupProbe", "livenessProbe"])
def test_it_tells_a_vllm_that_is_well_from_one_that_is_not(name: str) -> None:
    with answering(200) as port:
        assert probe(name, port) == 0
    assert probe(name, port) != 0
    for status in (204, 503):
        with answering(status) as port:
            assert probe(name, port) != 0


def test_it_asks_the_pod_itself_and_no_proxy() -> None:
    nowhere = "http://127.0.0.1:9"
    with answering(200) as port:
        assert probe("livenessProbe", port, HTTP_PROXY=nowhere, http_proxy=nowhere, NO_PROXY="", no_proxy="") == 0
