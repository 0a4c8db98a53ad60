"""The server's image, built and run as its Dockerfile says, without Docker."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deploy.dockerfile import Instruction
from tests.deploy.sandbox import ROOT, Sandbox, build
from tests.servers import free_port

pytestmark = pytest.mark.e2e

KEY = "a-key-of-this-test"
ACTION = {"type": "click", "name": "add_to_cart.buy_now"}
ROLLOUT = {
    "completion": '{"rationale": "It fits.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}',
    "label": ACTION,
    # Both tokens of a vocabulary of two, equally likely: the certainty of a coin, 0.
    "certainty": {"vocab_size": 2, "top_logprobs": [[-0.6931471805599453, -0.6931471805599453]]},
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return build(ROOT / "docker" / "Dockerfile", tmp_path_factory.mktemp("image"))


@contextmanager
def running(image: Sandbox, port: int, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The image's own CMD, in a tree that it cannot write to; stopped by the image's own signal."""
    added = {"REWARD_PORT": str(port), "REWARD_API_KEYS": KEY} | variables
    command = image.command(*image.stage.only("CMD").words(), mode="ro")
    process = subprocess.Popen(command, env=image.environment(**added), stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.send_signal(signal.Signals[image.stage.only("STOPSIGNAL").rest])
        process.wait(timeout=60)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not become ready")


def check_health(image: Sandbox, port: int) -> int:
    """The exit status of the image's own HEALTHCHECK."""
    flags, command = image.stage.only("HEALTHCHECK").rest.split("CMD", 1)
    assert "--timeout=3s" in flags
    return image.run(*Instruction("CMD", command.strip()).words(), mode="ro", REWARD_PORT=str(port)).returncode


def test_the_image_scores_as_it_is_and_says_how_it_is(image: Sandbox) -> None:
    port = free_port()
    assert check_health(image, port) != 0, "nobody listens yet"
    with running(image, port) as server:
        wait_until_ready(f"http://127.0.0.1:{port}", server)
        answer = httpx.post(
            f"http://127.0.0.1:{port}/score", json={"rollouts": [ROLLOUT]}, headers={"Authorization": f"Bearer {KEY}"}
        )
        assert answer.status_code == 200, answer.text
        # format 0.5, type 0.3, attribute 0.2, value 1000, and 0.005 of no certainty
        assert answer.json()["rewards"] == [pytest.approx(1001)]
        assert httpx.post(f"http://127.0.0.1:{port}/score", json={"rollouts": [ROLLOUT]}).status_code == 401
        assert "shop_r1_build_info" in httpx.get(f"http://127.0.0.1:{port}/metrics").text, "Prometheus has no key"
        assert check_health(image, port) == 0
    assert server.returncode == 0, "SIGTERM is a clean end"
    assert check_health(image, port) != 0, "nobody listens any more"


def test_a_server_that_listens_and_never_answers_is_not_healthy(image: Sandbox) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        began = time.monotonic()
        assert check_health(image, mute.getsockname()[1]) != 0
    assert time.monotonic() - began < 60, "it gives up by itself"


def test_without_keys_it_does_not_start_and_says_why(image: Sandbox) -> None:
    refused = image.run(*image.stage.only("CMD").words(), mode="ro")
    assert refused.returncode == 2
    assert "REWARD_API_KEYS" in refused.stderr


def test_it_runs_as_nobody_who_can_write(image: Sandbox) -> None:
    assert image.stage.only("USER").rest == "10001:10001"
    written = image.run("sh", "-c", "id -u; touch /app/file", mode="ro")
    assert written.stdout.strip() == "10001"
    assert "Read-only" in written.stderr


@pytest.mark.parametrize("module", ["torch", "transformers", "vllm", "pip", "setuptools", "pytest"])
def test_what_a_server_does_not_need_is_not_there(image: Sandbox, module: str) -> None:
    assert f"No module named '{module}'" in image.run("python", "-c", f"import {module}", mode="ro").stderr


def test_every_module_is_compiled_already(image: Sandbox) -> None:
    packages = site_packages(image)
    source = list(packages.glob("reward_server/**/*.py"))
    assert len(source) > 50
    assert [file for file in source if not any(file.parent.glob(f"__pycache__/{file.stem}.*.pyc"))] == []
    looked = image.run("python", "-v", "-c", "import reward_server.settings", mode="ro")
    assert re.search(r"code object from .*reward_server/__pycache__/settings\.", looked.stderr) is not None


def test_its_packages_stay_small(image: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    size = sum(file.stat().st_size for file in site_packages(image).rglob("*") if file.is_file())
    with capsys.disabled():
        sys.stdout.write(f"\nsite-packages of the server's image: {size / 1e6:.0f} MB\n")
    # With torch it would be ten times this.
    assert size < 250e6


def site_packages(image: Sandbox) -> Path:
    (found,) = image.root.glob("app/lib/python3.*/site-packages")
    return found


def test_this_machine_has_what_a_root_of_one_s_own_takes() -> None:
    assert [name for name in ("unshare", "setpriv", "chroot") if shutil.which(name) is None] == []
