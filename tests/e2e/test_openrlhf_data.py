"""OpenRLHF's own data sets read the rows that `shop-r1 data` builds: nothing is lost, and only answers are learnt."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reward_server.reward.action import read_label
from reward_server.reward.spec import load_preset
from tests.e2e.training_environment import BIN
from tests.trainer.cli.commands import run
from tests.trainer.sessions.test_context import qwen_like_tokenizer
from trainer.sessions.storefront import Storefront

pytestmark = pytest.mark.e2e

PYTHON = BIN / "python"
SESSIONS = 40
BUDGET = 2_600
"""Tokens: enough for some sessions as a whole, not for all."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    qwen_like_tokenizer(folder)
    assert run("data", "storefront", folder / "s.jsonl", "--sessions", SESSIONS).returncode == 0
    return folder


def build(folder: Path, kind: str, *flags: object) -> list[dict[str, Any]]:
    """The rows that `shop-r1 data` builds."""
    file = folder / f"{kind}.jsonl"
    limit = ("--tokenizer", folder, "--max-length", BUDGET)
    done = run("data", kind, folder / "s.jsonl", "--out", file, *limit, *flags)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in file.open()]


def load(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The same rows as OpenRLHF loads them."""
    driver = Path(__file__).with_name("openrlhf_data_driver.py")
    job = {
        "kind": kind,
        "file": str(folder / f"{kind}.jsonl"),
        "tokenizer": str(folder / "tokenizer.json"),
        # A row must be at least two tokens under this to be kept.
        "max_len": BUDGET + 3,
    }
    loaded = subprocess.run([PYTHON, driver], input=json.dumps(job).encode(), capture_output=True, timeout=300)
    assert loaded.returncode == 0, loaded.stderr.decode()
    rows: list[dict[str, Any]] = json.loads(loaded.stdout)
    return rows


def test_sft_learns_every_answer_once_and_nothing_else(folder: Path) -> None:
    built, loaded = build(folder, "sft"), load(folder, "sft")
    assert len(built) == len(loaded) > SESSIONS, "no row is dropped, and some sessions are cut"
    for row, seen in zip(built, loaded, strict=True):
        answers = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
        assert seen["learnt"].replace("<|im_end|>", "").split("\n") == [
            *answers,
            *([""] if seen["learnt"][-1] == "\n" else []),
        ]
        # The line break after the last answer is no part of what is learnt.
        assert seen["tokens"] == row["length"] - 1 <= BUDGET
    steps = sum(len(session.steps) for session in Storefront().sessions(SESSIONS))
    assert sum(len(row["steps"]) for row in built) == steps


def test_rl_prompts_are_as_long_as_told_and_labels_are_the_servers(folder: Path) -> None:
    built, loaded = build(folder, "rl"), load(folder, "rl")
    space = load_preset("shop-r1").action_space
    assert len(built) == len(loaded)
    for row, seen in zip(built, loaded, strict=True):
        assert seen["tokens"] == row["length"] <= BUDGET
        assert seen["prompt"].endswith("<|im_end|>\n<|im_start|>assistant\n")
        assert seen["label"] == row["label"]
        assert read_label(seen["label"], space)
