"""The installed OpenRLHF takes every shipped recipe, and what it refuses is told by the key of the recipe."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import reward_server.certainty
from tests.e2e.training_environment import BIN
from tests.e2e.training_environment import run as run_program
from tests.servers import Server
from tests.trainer.cli.commands import run
from trainer.openrlhf.recipe.recipe import recipe_names

pytestmark = pytest.mark.e2e

DEMO = Path(reward_server.certainty.__file__).parent / "demo_model"


def checked(*recipes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    driver = Path(__file__).with_name("recipe_driver.py")
    done = subprocess.run(
        [BIN / "python", driver], input=json.dumps(recipes).encode(), capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_openrlhf_takes_every_shipped_recipe_and_nothing_heavy_is_imported_to_know() -> None:
    found = checked(*[(name, {}) for name in recipe_names()])
    assert dict(zip(recipe_names(), found["told"], strict=True)) == dict.fromkeys(recipe_names())
    assert found["heavy"] == []


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("grpo", {"algo.kl.estimater": "k3"}, "openrlhf.algo.kl.estimater: OpenRLHF 0.11.2 has no flag --algo.kl.e"),
        ("grpo", {"algo.kl.estimater": "k3"}, "did you mean algo.kl.estimator?"),
        ("grpo", {"adam.lr": 1e-7}, "did you mean actor.adam.lr"),
        ("sft", {"actor.adam.lr": 1e-7}, "openrlhf.actor.adam.lr: OpenRLHF 0.11.2 has no flag"),
        ("grpo", {"algo.kl.estim": "k3"}, "openrlhf.algo.kl.estim: OpenRLHF 0.11.2 has no flag"),
        ("grpo", {"algo.kl.estimator": "k9"}, "openrlhf.algo.kl.estimator: invalid choice: 'k9'"),
        (
            "grpo",
            {"algo.advantage.is_correction_level": "sequence"},
            "openrlhf.algo.advantage.is_correction_level: inv",
        ),
        ("grpo", {"train.batch_size": "many"}, "openrlhf.train.batch_size: invalid int value: 'many'"),
        ("grpo", {"train.batch_size": True}, "openrlhf.train.batch_size: the flag takes a value"),
        ("grpo", {"train.colocate_all": 3}, "openrlhf.train.colocate_all: the flag is true or false"),
        ("grpo", {"reward.clip_range": [1]}, "openrlhf.reward.clip_range: expected 2 arguments"),
        ("grpo", {"rollout.n_samples_per_prompt": 1}, "group_norm requires n_samples_per_prompt > 1"),
        ("grpo", {"train.async_enable": True}, "Async RLHF is not supported with openrlhf.vllm.enable_sleep"),
        ("grpo", {"train.partial_rollout_enable": True}, "requires openrlhf.train.async_enable"),
        ("sft", {"ds.packing_samples": False}, "packing_samples must be enabled when using ring attention"),
    ],
)
def test_what_openrlhf_refuses_is_told_by_the_recipe_s_key(name: str, changes: dict[str, Any], expected: str) -> None:
    (told,) = checked((name, {f"openrlhf.{key}": value for key, value in changes.items()}))["told"]
    assert told is not None
    assert told.startswith("FlagError: ")
    assert expected in told


def test_our_own_rules_know_openrlhf_s_defaults() -> None:
    # Its train.micro_batch_size for SFT is 8, and its zero_stage 2: 16 rows cannot be 2 ranks of 24.
    left_out = {"openrlhf.train.micro_batch_size": None, "openrlhf.train.batch_size": 24}
    (told,) = checked(("sft", left_out))["told"]
    assert told is not None
    assert "24 is no multiple of 16 (train.micro_batch_size 8 × 2 data-parallel ranks)" in told


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training data of the built-in storefront, for the demo model."""
    folder = tmp_path_factory.mktemp("data")
    small = ("--prompt", "short", "--tokenizer", DEMO)
    assert run("data", "storefront", folder / "s.jsonl", "--sessions", 60, "--size", "tiny").returncode == 0
    for kind, more in (("rl", ("--context", "latest-step")), ("sft", ("--max-length", 500))):
        done = run("data", kind, folder / "s.jsonl", "--out", folder / f"{kind}.jsonl", *small, *more)
        assert done.returncode == 0, done.stderr
    return folder


def grpo(folder: Path, server: Server, *more: object) -> subprocess.CompletedProcess[str]:
    common = ("--model", DEMO, "--data", "rl.jsonl", "--server", server.url, "--out", "run")
    few = ("--set", "openrlhf.data.max_samples=64")
    return run_program("shop-r1", "grpo", "cpu-smoke", *common, *few, *more, timeout=300, cwd=folder)


def test_a_dry_run_pins_the_server_s_digest(data: Path, certainty_server: Server) -> None:
    done = grpo(data, certainty_server, "--dry-run")
    digest = certainty_server.get("/specs/shop-r1").json()["digest"]
    assert done.returncode == 0, done.stderr
    assert f"SHOP_R1_DIGEST={digest}" in done.stdout
    assert "a run would stop now" not in done.stderr
    assert not (data / "run").exists()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (("--data", "sft.jsonl"), "a row of SFT data"),
        (("--data", "gone.jsonl"), "data: gone.jsonl: No such file"),
        (("--model", "./gone"), "model: ./gone is not there"),
        (("--spec", "nope"), "no spec 'nope' is loaded"),
        (("--spec", "opera"), "unknown action type 'type_and_submit'"),
        (("--spec", "binary"), "set server.certainty to none"),
        (("--set", "server.certainty=server"), "it measures no certainty itself"),
        (("--set", "openrlhf.data.max_len=128"), "64 of 64 prompts in rl.jsonl are longer than the 48 tokens"),
        (("--set", "openrlhf.reward.clip_range=[-10, 10]"), "openrlhf.reward.clip_range"),
        (("--set", "openrlhf.ds.zero_stage=3"), "ZeRO-3 corrupts weights on a CPU"),
        (("--server", "http://127.0.0.1:1"), "cannot be reached"),
        (("--resume",), "holds no run to resume"),
    ],
)
def test_a_run_that_would_fail_is_not_started(
    more: tuple[str, ...], expected: str, data: Path, certainty_server: Server
) -> None:
    done = grpo(data, certainty_server, *more)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("not started: ")
    assert expected in done.stderr
    assert not (data / "run").exists()


def test_a_run_s_folder_is_not_overwritten_by_accident(data: Path, certainty_server: Server) -> None:
    (data / "taken").mkdir()
    (data / "taken" / "thesis.tex").write_text("x")
    for more, expected in (((), "is not empty"), (("--overwrite",), "is no run's folder")):
        done = grpo(data, certainty_server, "--out", "taken", *more)
        assert done.returncode == 1
        assert expected in done.stderr
