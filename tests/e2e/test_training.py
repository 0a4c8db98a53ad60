"""The commands train with the real OpenRLHF: SFT, and GRPO whose every rollout our server scores, come what may."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from reward_server.certainty.model_files import DEMO_MODEL
from reward_server.reward.action import read_label
from reward_server.reward.completion import parse
from reward_server.reward.score import prepare, score
from reward_server.specs import find_spec
from tests.e2e.training_environment import BIN, environment
from tests.e2e.training_environment import run as run_program
from tests.servers import running_server

pytestmark = pytest.mark.e2e

GROUP = 8
PER_STEP = 64
SMALL = (
    "openrlhf.rollout.batch_size=8",
    f"openrlhf.rollout.n_samples_per_prompt={GROUP}",
    f"openrlhf.train.batch_size={PER_STEP}",
    "openrlhf.ckpt.save_steps=2",
)
TERMS = ("format", "certainty", "type", "attribute", "value")
LAYOUT = ("--context", "latest-step", "--prompt", "short")


def options(*changes: str) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def grpo(data: Path, out: Path, server: str) -> tuple[str | Path, ...]:
    """The arguments of `shop-r1` for GRPO of the demo model."""
    where = ("--data", data / "rl.jsonl", "--out", out, "--server", server)
    return ("grpo", "cpu-smoke", "--model", DEMO_MODEL, *where)


def lines(*files: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows for both trainers."""
    folder = tmp_path_factory.mktemp("data")
    for arguments in (
        ("storefront", folder / "sessions.jsonl", "--sessions", "80"),
        ("sft", folder / "sessions.jsonl", "--out", folder / "sft.jsonl", *LAYOUT),
        ("rl", folder / "sessions.jsonl", "--out", folder / "rl.jsonl", *LAYOUT),
    ):
        made = run_program("shop-r1", "data", *arguments)
        assert made.returncode == 0, made.stderr
    return folder


@contextmanager
def training(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """`shop-r1 …` in a process group of its own, killed at the end if it still runs."""
    process = subprocess.Popen(
        [BIN / "shop-r1", *map(str, arguments)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=120)


def wait_for_step(folder: Path, step: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        history = folder / "history.jsonl"
        if history.exists() and any(line["step"] >= step for line in lines(history)):
            return
        time.sleep(0.2)
    pytest.fail(f"the run ended before step {step}: {process.communicate()[1]}")


def free_port() -> str:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@dataclass
class Run:
    """A GRPO run that was interrupted, resumed, and lost its server for 20 seconds in the middle."""

    folder: Path
    first_steps: Sequence[int]
    """Done when it was interrupted."""
    resumed: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def hard_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, port = tmp_path_factory.mktemp("runs") / "hard", free_port()
    settings = options(*SMALL, "openrlhf.data.max_samples=48", "server.patience=120")
    whole = (*grpo(data, folder, f"http://127.0.0.1:{port}"), *settings)
    server = ("--port", port, "--certainty", "rollout")
    with running_server(*server), training(*whole) as process:
        wait_for_step(folder, 3, process)
        os.kill(process.pid, signal.SIGINT)
        process.wait(timeout=120)
    first_steps = [line["step"] for line in lines(folder / "history.jsonl")]
    with training(*whole, "--resume") as process:
        # Nobody listens yet when it starts: the checks before the run are not to wait for a server.
        assert process.wait(timeout=120) == 1
    with running_server(*server) as running, training(*whole, "--resume") as process:
        wait_for_step(folder, 4, process)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        time.sleep(20)
        with running_server(*server):
            _, errors = process.communicate(timeout=300)
    return Run(folder, first_steps, subprocess.CompletedProcess(whole, process.returncode, None, errors))


def test_a_run_that_lost_its_server_for_20_seconds_ends_well(hard_run: Run) -> None:
    assert hard_run.resumed.returncode == 0, hard_run.resumed.stderr
    assert (hard_run.folder / "model" / "model.safetensors").exists()


def test_an_interrupted_run_goes_on_from_its_checkpoint(hard_run: Run) -> None:
    assert 3 in hard_run.first_steps
    assert [line["step"] for line in lines(hard_run.folder / "history.jsonl")] == [1, 2, 3, 4, 5, 6]
    log = (hard_run.folder / "log.txt").read_text(errors="replace")
    assert "'global_step': 2" in log or "global_step2" in log, "OpenRLHF says which checkpoint it loaded"


def test_what_the_trainer_consumed_was_scored_and_less_than_two_steps_beyond_what_it_did_twice(hard_run: Run) -> None:
    rollouts = lines(*(hard_run.folder / "rollouts").iterdir())
    assert len({rollout["id"] for rollout in rollouts}) == len(rollouts)
    groups = Counter(rollout["group"] for rollout in rollouts)
    whole = [group for group, count in groups.items() if count == GROUP]
    consumed = sum(line["rollout/num_samples"] for line in lines(hard_run.folder / "history.jsonl"))
    assert consumed == 6 * PER_STEP
    # Steps that were done twice, and one that the interruption cut, were scored as well.
    repeated = len(hard_run.first_steps) - 2
    assert len(whole) * GROUP >= consumed + repeated * PER_STEP
    assert len(rollouts) < consumed + (repeated + 1) * PER_STEP + PER_STEP


def test_every_reward_is_the_one_that_the_completion_and_its_certainty_earn(hard_run: Run) -> None:
    spec = find_spec("shop-r1")
    rollouts = lines(*(hard_run.folder / "rollouts").iterdir())
    for rollout in rollouts:
        result, certainty = rollout["result"], rollout["result"]["certainty"]
        target = prepare(read_label(rollout["label"], spec.action_space), spec)
        card = score(parse(rollout["completion"], spec), target, certainty["value"] if certainty else 0.0)
        assert result["reward"] == pytest.approx(card.reward, abs=1e-9)
        assert (certainty is None) == (card.reason is not None)
        assert rollout["spec"]["digest"] == spec.digest
        if certainty is not None:
            assert certainty["source"] == "rollout"
            assert certainty["lower"] <= certainty["value"] <= certainty["upper"] <= certainty["lower"] + 1.0


def test_the_reward_of_each_step_is_the_sum_of_its_terms_and_lies_among_those_of_the_rollouts(hard_run: Run) -> None:
    rewards = [rollout["result"]["reward"] for rollout in lines(*(hard_run.folder / "rollouts").iterdir())]
    for line in lines(hard_run.folder / "history.jsonl"):
        terms = fsum(line[f"term_{name}"] for name in TERMS)
        assert line["reward"] == pytest.approx(terms, rel=1e-4)
        assert min(rewards) <= line["reward"] <= max(rewards)


def test_every_term_and_what_explains_it_reaches_tensorboard(hard_run: Run) -> None:
    written = b"".join(file.read_bytes() for file in (hard_run.folder / "tensorboard").rglob("events*"))
    terms = [f"term_{name}" for name in TERMS]
    predicted = [f"predicts_{name}" for name in ("click", "terminate", "type_and_submit", "unknown_type")]
    certainty = ["certainty_nats", "certainty_width", "certainty_without_context"]
    for tag in (*terms, *predicted, *certainty, "valid", "type_match", "exact_match", "reward_seconds"):
        assert f"train/{tag}".encode() in written, tag


def test_a_server_that_never_comes_back_ends_the_run_with_one_clear_error(data: Path, tmp_path: Path) -> None:
    settings = options(*SMALL, "openrlhf.data.max_samples=48", "server.patience=3")
    with running_server("--certainty", "rollout") as server:
        arguments = grpo(data, tmp_path / "run", server.url)
        with training(*arguments, *settings) as process:
            wait_for_step(tmp_path / "run", 1, process)
            server.process.send_signal(signal.SIGKILL)
            _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    last = " ".join(errors.strip().splitlines()[-1:])
    assert "RewardUnavailable" in last
    assert server.url in last
    assert not (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_the_plain_remote_url_works_too(data: Path, tmp_path: Path) -> None:
    changes = (*SMALL, "openrlhf.data.max_samples=16", "server.agent=plain", "server.certainty=server")
    with running_server("--certainty", "local") as server:
        arguments = grpo(data, tmp_path / "run", server.url)
        done = run_program("shop-r1", *arguments, *options(*changes))
        metrics = httpx.get(f"{server.url}/metrics").text
    assert done.returncode == 0, done.stderr
    history = lines(tmp_path / "run" / "history.jsonl")
    assert [line["rollout/num_samples"] for line in history] == [PER_STEP, PER_STEP]
    assert all(line["certainty_nats"] > 0 and line["certainty_without_context"] == 0 for line in history)
    scored = [line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith("shop_r1_run_rollouts_total{")]
    assert [(f'run="{(tmp_path / "run").name}"' in name, float(value)) for name, value in scored] == [
        (True, 2.0 * PER_STEP)
    ]


def test_sft_trains_and_what_it_wrote_answers(data: Path, tmp_path: Path) -> None:
    arguments = ("--model", DEMO_MODEL, "--data", data / "sft.jsonl", "--out", tmp_path / "run")
    done = run_program("shop-r1", "sft", "cpu-smoke", *arguments, *options("openrlhf.data.max_samples=160"))
    assert done.returncode == 0, done.stderr
    history = lines(tmp_path / "run" / "history.jsonl")
    assert [line["step"] for line in history] == list(range(1, 11))
    assert all(line["gpt_loss"] > 0 for line in history)
    rows = ("--data", data / "rl.jsonl", "--limit", "20", "--engine", "transformers", "--max-new-tokens", "80")
    asked = run_program("shop-r1", "evaluate", "--model", tmp_path / "run" / "model", *rows)
    assert asked.returncode == 0, asked.stderr
