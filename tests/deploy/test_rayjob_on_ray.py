"""The RayJob's entrypoint on a real Ray, as KubeRay runs it: a job on the head that submits the training as another.

The training itself is stood in for: the job's `python` writes down what it was started with, and prints one step; or
goes on and on, where there is a file `endless`.
"""

import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
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
JOB = yaml.safe_load((ROOT / "k8s" / "rayjob.yaml").read_text(encoding="utf-8"))

_TRAINING = """#!/bin/sh
env > "$STAND_IN/environment"
echo "$@" > "$STAND_IN/arguments"
[ -e "$STAND_IN/endless" ] && exec sleep 300
while [ "$1" != --ckpt.output_dir ]; do shift; done
mkdir -p "$2"
touch "$2/model.safetensors"
echo "INFO 11-21 11:02:26 ppo_trainer.py:224] Sample: ['', 0.5]"
echo "INFO 11-21 11:02:26 ppo_trainer.py:551] ✨ Global step 1: {'reward': 0.5}"
"""


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `python` that trains nothing."""
    folder = tmp_path_factory.mktemp("stand-in")
    (folder / "python").write_text(_TRAINING, encoding="utf-8")
    (folder / "python").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def head(stand_in: Path) -> Iterator[str]:
    """The dashboard of a Ray head with the start parameters and the environment of the manifest's."""
    group = JOB["spec"]["rayClusterSpec"]["headGroupSpec"]
    (container,) = group["template"]["spec"]["containers"]
    said = {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}
    flags = {
        "num-cpus": group["rayStartParams"]["num-cpus"],
        "node-ip-address": "127.0.0.1",
        "dashboard-host": "127.0.0.1",
        **{name: free_port() for name in ("port", "dashboard-port", "dashboard-agent-listen-port")},
    }
    url = f"http://127.0.0.1:{flags['dashboard-port']}"
    added = said | {"PATH": f"{stand_in}:{BIN}:{os.environ['PATH']}", "SHOP_R1_API_KEY": KEY, "STAND_IN": str(stand_in)}
    # Its sockets' names must be short, so no folder of pytest's.
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        start = [BIN / "ray", "start", "--head", "--block", "--disable-usage-stats", f"--temp-dir={folder}"]
        process = subprocess.Popen(
            [*start, *(f"--{name}={value}" for name, value in flags.items())],
            env=environment(**added),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(lambda: answers(f"{url}/api/version"))
            # Jobs are the agent's to start, and it comes later than the dashboard.
            wait_until(
                lambda: answers(f"http://127.0.0.1:{flags['dashboard-agent-listen-port']}/api/local_raylet_healthz")
            )
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(REWARD_API_KEYS=KEY) as running:
        yield running


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until, "it did not come to be so"
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def statuses(head: str) -> dict[str, str]:
    """What became of the cluster's jobs, by their ids."""
    return {job["submission_id"]: job["status"] for job in httpx.get(f"{head}/api/jobs/").json()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sessions, rows = tmp_path / "s.jsonl", tmp_path / "rl.jsonl"
    assert run("shop-r1", "data", "storefront", sessions, "--sessions", "20", "--size", "tiny").returncode == 0
    made = run("shop-r1", "data", "rl", sessions, "--out", rows, "--prompt", "short", "--tokenizer", DEMO)
    assert made.returncode == 0, made.stderr
    return rows


@pytest.fixture
def entrypoint(head: str, server: Server, data: Path, tmp_path: Path) -> list[str]:
    """The manifest's, with model, data, folder and server that are here."""
    recipes = yaml.safe_load((ROOT / "k8s" / "recipe.yaml").read_text(encoding="utf-8"))["data"]
    (tmp_path / "recipe.yaml").write_text(recipes["recipe.yaml"], encoding="utf-8")
    stated = JOB["spec"]["entrypoint"].replace(DASHBOARD, head).replace("/etc/shop-r1", str(tmp_path))
    here = {"model": DEMO, "data": data, "out": tmp_path / "run", "server": server.url}
    # The demo model has a shorter context than Qwen, and the data few rows.
    smaller = ("--set=openrlhf.data.max_len=8192", "--set=openrlhf.data.max_samples=8")
    return [*shlex.split(stated), *(f"--{name}={value}" for name, value in here.items()), *smaller]


def test_the_entrypoint_checks_on_the_head_and_trains_as_a_job_of_its_own(
    head: str, entrypoint: list[str], stand_in: Path, server: Server, tmp_path: Path
) -> None:
    submitted = run("ray", "job", "submit", "--address", head, "--", *entrypoint)
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert list(statuses(head).values()) == ["SUCCEEDED", "SUCCEEDED"]
    assert KEY not in httpx.get(f"{head}/api/jobs/").text, "the key is no part of a job's description"
    told = dict(line.split("=", 1) for line in (stand_in / "environment").read_text().splitlines() if "=" in line)
    assert told["SHOP_R1_SERVER_URL"] == server.url
    assert told["SHOP_R1_API_KEY"] == KEY
    pinned = server.get("/specs/shop-r1", headers={"Authorization": f"Bearer {KEY}"}).json()["digest"]
    assert told["SHOP_R1_DIGEST"] == pinned
    assert (stand_in / "arguments").read_text().startswith("-m openrlhf.cli.train_ppo_ray ")
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 1


def test_a_stopped_rayjob_leaves_no_training_behind(head: str, entrypoint: list[str], stand_in: Path) -> None:
    before = set(statuses(head))
    (stand_in / "endless").touch()
    submit = ("ray", "job", "submit", "--address", head, "--submission-id", "outer", "--no-wait", "--")
    assert run(*submit, *entrypoint).returncode == 0

    def trainings() -> list[str]:
        return [status for job, status in statuses(head).items() if job not in {*before, "outer"}]

    wait_until(lambda: trainings() == ["RUNNING"])
    run("ray", "job", "stop", "--address", head, "outer")
    assert statuses(head)["outer"] == "STOPPED"
    wait_until(lambda: trainings() == ["STOPPED"])
