"""The RayJob's entrypoint on a real Ray, as KubeRay runs it: a job on the head that submits the training as another.

The training itself is stood in for: the job's `python` writes down what it was started with, and prints one step.
"""

import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deploy.sandbox import ROOT
from tests.e2e.training_environment import BIN, environment, run
from tests.servers import Server, free_port, running_server

pytestmark = pytest.mark.e2e

KEY = "the-head-s-key"
DEMO = ROOT / "reward_server" / "certainty" / "demo_model"
DASHBOARD = "http://127.0.0.1:8265"

_TRAINING = """#!/bin/sh
env > "$STAND_IN/environment"
echo "$@" > "$STAND_IN/arguments"
while [ "$1" != --ckpt.output_dir ]; do shift; done
mkdir -p "$2"
touch "$2/model.safetensors"
echo "INFO 11-21 11:02:26 ppo_trainer.py:551] ✨ Global step 1: {'reward': 0.5}"
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder with a `python` that trains nothing."""
    (tmp_path / "python").write_text(_TRAINING, encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    return tmp_path


@pytest.fixture
def head(stand_in: Path) -> Iterator[str]:
    """The dashboard of a Ray head without CPUs for others, with the key in its environment."""
    ports = {"port": free_port(), "dashboard-port": free_port(), "dashboard-agent-listen-port": free_port()}
    flags = [f"--{name}={port}" for name, port in ports.items()]
    url = f"http://127.0.0.1:{ports['dashboard-port']}"
    # The sockets' names must be short, so no folder of pytest's.
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        process = subprocess.Popen(
            [BIN / "ray", "start", "--head", "--block", "--num-cpus=0", "--node-ip-address=127.0.0.1", *flags,
             "--dashboard-host=127.0.0.1", "--disable-usage-stats", f"--temp-dir={folder}"],
            env=environment(PATH=f"{stand_in}:{BIN}:{os.environ['PATH']}", SHOP_R1_API_KEY=KEY, STAND_IN=str(stand_in)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(f"{url}/api/version", process)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(REWARD_API_KEYS=KEY) as running:
        yield running


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, "Ray did not start"
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(f"nothing at {url}")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sessions, rows = tmp_path / "s.jsonl", tmp_path / "rl.jsonl"
    assert run("shop-r1", "data", "storefront", sessions, "--sessions", "20", "--size", "tiny").returncode == 0
    made = run("shop-r1", "data", "rl", sessions, "--out", rows, "--prompt", "short", "--tokenizer", DEMO)
    assert made.returncode == 0, made.stderr
    return rows


def test_the_entrypoint_checks_on_the_head_and_trains_as_a_job_of_its_own(
    head: str, stand_in: Path, server: Server, data: Path, tmp_path: Path
) -> None:
    job = yaml.safe_load((ROOT / "k8s" / "rayjob.yaml").read_text(encoding="utf-8"))
    recipes = yaml.safe_load((ROOT / "k8s" / "recipe.yaml").read_text(encoding="utf-8"))["data"]
    (tmp_path / "recipe.yaml").write_text(recipes["recipe.yaml"], encoding="utf-8")
    entrypoint = job["spec"]["entrypoint"].replace(DASHBOARD, head).replace("/etc/shop-r1", str(tmp_path))
    here = ("--model", DEMO, "--data", data, "--out", tmp_path / "run", "--server", server.url)

    submitted = run("ray", "job", "submit", "--address", head, "--", *shlex.split(entrypoint), *here)

    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    jobs = httpx.get(f"{head}/api/jobs/").json()
    assert sorted(one["status"] for one in jobs) == ["SUCCEEDED", "SUCCEEDED"]
    assert KEY not in json.dumps(jobs), "the key is no part of a job's description"
    told = dict(line.split("=", 1) for line in (stand_in / "environment").read_text().splitlines() if "=" in line)
    assert told["SHOP_R1_SERVER_URL"] == server.url
    assert told["SHOP_R1_API_KEY"] == KEY
    assert (
        told["SHOP_R1_DIGEST"]
        == server.get("/specs/shop-r1", headers={"Authorization": f"Bearer {KEY}"}).json()["digest"]
    )
    assert (stand_in / "arguments").read_text().startswith("-m openrlhf.cli.train_ppo_ray ")
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 1
