"""`shop-r1 evaluate --model` with the real vLLM: what transformers says, reproducible, one model after another."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest
import torch

from tests.e2e.training_environment import BIN
from tests.trainer.generation.support import LONGEST_ANSWER, MODEL, as_row, rl_rows, write_rows
from trainer.generation.chat import Chat
from trainer.generation.completions import generate
from trainer.generation.sampling import Sampling
from trainer.generation.transformers_engine import TransformersEngine

pytestmark = pytest.mark.e2e

COMMAND = BIN / "shop-r1"
ROWS = 30


def by_transformers() -> list[str]:
    """Greedy completions of the rows."""
    torch.set_num_threads(1)
    chat = Chat(MODEL)
    rows = [as_row(row, line) for line, row in enumerate(rl_rows(ROWS), 1)]
    sampling = Sampling(max_new_tokens=LONGEST_ANSWER)
    return [text for _, (text,) in generate(rows, chat, TransformersEngine(chat), sampling)]


def running(group: int) -> list[str]:
    """Processes of a group that have not ended; those that only wait to be reaped have."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = status.read_text(encoding="utf-8", errors="replace").rpartition(")")
            state, _, its_group, *_ = rest.split()
            if int(its_group) == group and state != "Z":
                found.append(name)
    return found


def completions(files: Sequence[Path]) -> list[list[str]]:
    """Those of each file."""
    return [[json.loads(line)["completion"] for line in file.open()] for file in files]


def test_vllm_says_what_transformers_says_and_says_it_again(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "test.jsonl", rl_rows(ROWS))
    shutil.copytree(MODEL, tmp_path / "copy")
    out, kept = tmp_path / "out.json", tmp_path / "kept"
    # The copy is loaded after the model, so it has to be gone from memory, and draws by the same seeds.
    models = ("--model", MODEL, "--model", tmp_path / "copy", "--temperature", 0, "--temperature", 1)
    options = ("--data", data, "--max-new-tokens", LONGEST_ANSWER, "--resamples", 100, "--generated", kept)
    done = subprocess.Popen(
        [str(each) for each in (COMMAND, "evaluate", *models, *options, "--json", out)],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    said, complaints = done.communicate(timeout=300)
    assert done.returncode == 0, complaints.decode()
    assert "vllm" not in said.decode().lower().replace(str(tmp_path), "")
    # Python's own tracker of shared memory ends a moment after the command.
    deadline = monotonic() + 60
    while (left := running(done.pid)) and monotonic() < deadline:
        sleep(0.1)
    assert left == []

    runs = json.loads(out.read_bytes())["runs"]
    assert {run["generation"]["engine"] for run in runs} == {"vllm"}, "it is what auto stands for where it is installed"
    assert {run["rollouts"] for run in runs} == {ROWS}
    greedy, sampled = (completions(sorted(kept.glob(f"*-t{temperature}-*.jsonl"))) for temperature in (0, 1))
    assert greedy[0] == greedy[1]
    assert sampled[0] == sampled[1] != greedy[0]
    expected = by_transformers()
    assert len(set(expected)) > ROWS / 2
    # None differed where this was written; two libraries add up in another order, so that a tie may fall another way.
    assert sum(ours == theirs for ours, theirs in zip(greedy[0], expected, strict=True)) >= ROWS - 1
