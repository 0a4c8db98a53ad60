"""What `helm test` runs, run here against real servers, and against one that is a little off."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.deploy.chart import CHART, container, environment, render
from tests.servers import Server

SCRIPT = CHART / "files" / "score.py"


def run(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REWARD_")}
    asked = {"SERVER": url, "SPEC": "shop-r1-no-rationale", "SOURCE": "none", "WAIT_SECONDS": "0", **variables}
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", SCRIPT.read_text(encoding="utf-8")],
        env={**clean, **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def pretending(reward: float, unready: int = 0) -> Iterator[str]:
    """A server that gives one reward to everything, and is ready once it has said so many times that it is not."""
    refusals = iter(range(unready))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_ready = self.path != "/readyz" or next(refusals, None) is None
            self.answer({"certainty": {"source": "none"}, "server_version": "0"}, 200 if is_ready else 503)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer({"rewards": [reward]})

        def answer(self, body: object, status: int = 200) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_a_sound_server_passes(server: Server) -> None:
    done = run(server.url)
    assert done.returncode == 0, done.stderr
    # 0.5 + 0.3 + 0.2 + 1000 · 8/9
    assert "reward 889.888" in done.stdout


def test_a_server_with_a_certainty_source_passes(certainty_server: Server) -> None:
    done = run(certainty_server.url, SOURCE="rollout")
    assert done.returncode == 0, done.stderr


def test_the_first_of_the_keys_opens(start_server: Callable[..., Any]) -> None:
    flags = ("--spec", "shop-r1-no-rationale", "--certainty", "none")
    with start_server(*flags, REWARD_API_KEYS="first, second") as server:
        assert run(server.url, REWARD_API_KEYS="first, second").returncode == 0
        assert run(server.url, REWARD_API_KEYS="third").returncode == 1


def test_another_certainty_source_fails(server: Server) -> None:
    done = run(server.url, SOURCE="vllm")
    assert done.returncode == 1
    assert "the certainty is from none, not vllm" in done.stderr


def test_a_number_that_is_a_ten_thousandth_too_large_fails() -> None:
    with pretending(1.0 + 1000 * 8 / 9 + 0.0001) as url:
        done = run(url)
    assert done.returncode == 1
    assert "not 889.888" in done.stderr


def test_a_server_that_is_not_ready_yet_is_waited_for() -> None:
    with pretending(1.0 + 1000 * 8 / 9, unready=2) as url:
        assert run(url, WAIT_SECONDS="50").returncode == 0
    with pretending(1.0 + 1000 * 8 / 9, unready=2) as url:
        assert run(url).returncode == 1


def test_nobody_there_fails() -> None:
    assert run("http://127.0.0.1:9").returncode == 1


@pytest.mark.e2e
def test_the_pod_runs_that_script_to_the_letter() -> None:
    (item,) = render().one("Pod")["spec"]["containers"]
    assert item["command"] == ["python", "-c"]
    (script,) = item["args"]
    assert script.strip() == SCRIPT.read_text(encoding="utf-8").strip()
    assert environment(item).keys() == {"SERVER", "SPEC", "SOURCE", "REWARD_API_KEYS"}
    asked = environment(container(render().one("Deployment"), "server"))
    assert environment(item)["SOURCE"] == asked["REWARD_CERTAINTY"]
