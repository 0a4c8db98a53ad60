"""`shop-r1 data rationales` against the real vLLM, which serves a tiny random model.

What such a model says is chance; what is tested is what holds whatever it says: what was asked, what it cost by the
server's own count, what is kept, and that nothing is asked twice.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.vllm_server import PYTHON, STOCK, serving
from tests.trainer.cli import commands

pytestmark = pytest.mark.e2e

STEPS, MAX_TOKENS, TRIES = 120, 24, 3


@dataclass
class Count:
    """What vLLM says that it has done since it started."""

    prompt_tokens: int
    completion_tokens: int
    stopped: int
    """Answers that came to their end."""
    cut: int
    """Answers that were cut at the limit of tokens."""

    @property
    def answers(self) -> int:
        return self.stopped + self.cut


@dataclass
class VLLM:
    url: str

    def count(self) -> Count:
        metrics = httpx.get(f"{self.url}/metrics", timeout=30).text

        def total(name: str, *, reason: str = "") -> int:
            where = f'[^}}]*finished_reason="{reason}"' if reason else ""
            found = re.search(rf"^vllm:{name}_total{{{where}[^}}]*}} (\S+)$", metrics, re.MULTILINE)
            assert found is not None, name
            return int(float(found[1]))

        return Count(
            total("prompt_tokens"),
            total("generation_tokens"),
            total("request_success", reason="stop"),
            total("request_success", reason="length"),
        )


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLM]:
    """A vLLM that serves the model as `tiny`, to those who know the key."""
    model = tmp_path_factory.mktemp("model")
    subprocess.run([PYTHON, Path(__file__).with_name("tiny_chat_model.py"), model], check=True, capture_output=True)
    served = ("--model", model, "--tokenizer", model / "tokenizer", "--served-model-name", "tiny")
    with serving(STOCK, *served, "--max-model-len", "2048", "--enforce-eager", VLLM_API_KEY="the-key") as server:
        yield VLLM(server.url)


def run(
    vllm: VLLM, sessions: Path, out: Path, *more: object, key: str = "the-key", model: str = "tiny"
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The command, and its figures."""
    figures = out.with_suffix(".json")
    endpoint = ("--base-url", f"{vllm.url}/v1", "--model", model)
    sampling = ("--temperature", 1, "--max-tokens", MAX_TOKENS)
    command = ("data", "rationales", sessions, "--out", out, "--json", figures, *endpoint, *sampling, *more)
    done = commands.run(*command, OPENAI_API_KEY=key, COLUMNS="200")
    return done, json.loads(figures.read_bytes())


def rationales(file: Path) -> list[str | None]:
    rows = map(json.loads, file.read_bytes().splitlines())
    return [step.get("rationale") for row in rows for step in row["steps"]]


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    file = tmp_path / "sessions.jsonl"
    steps = [
        {
            "html": f'<button name="hat_{number}">a red hat</button>',
            "action": {"type": "click", "name": f"hat_{number}"},
        }
        for number in range(3)
    ]
    rows = ({"session": f"s{number}", "steps": steps} for number in range(STEPS // 3))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_what_is_reported_is_what_vllm_counted_and_nothing_is_asked_twice(
    vllm: VLLM, sessions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "filled.jsonl"
    before = vllm.count()
    done, figures = run(vllm, sessions, out, "--concurrency", 16)
    after = vllm.count()

    assert figures["filled"] + sum(figures["failed"].values()) == STEPS
    assert figures["answers"] == after.answers - before.answers
    assert figures["prompt_tokens"] == after.prompt_tokens - before.prompt_tokens
    assert figures["completion_tokens"] == after.completion_tokens - before.completion_tokens
    assert figures["answers_without_usage"] == 0

    # Chance decides how many answers can be used; that none can, or all, has a chance below 1e-9.
    assert 0 < figures["filled"] < figures["answers"] <= TRIES * STEPS
    assert after.cut > before.cut
    assert done.returncode == (1 if figures["failed"] else 0), done.stderr
    filled = rationales(out)
    assert sum(rationale is not None for rationale in filled) == figures["filled"]
    assert [text for text in filled if text is not None and (not text.strip() or "\n" in text or "<|" in text)] == []

    runs = [figures]
    while runs[-1]["failed"] and len(runs) < 20:
        start = vllm.count().answers
        done, figures = run(vllm, sessions, out)
        missing = sum(runs[-1]["failed"].values())
        assert figures["reused"] == STEPS - missing
        assert missing <= vllm.count().answers - start <= TRIES * missing
        runs.append(figures)
    assert done.returncode == 0
    complete = rationales(out)
    assert None not in complete
    assert [new for old, new in zip(filled, complete, strict=True) if old not in (None, new)] == []

    start = vllm.count()
    done, figures = run(vllm, sessions, out)
    assert (done.returncode, figures["reused"], figures["answers"]) == (0, STEPS, 0)
    assert vllm.count() == start
    assert rationales(out) == complete


def test_vllms_refusals_stop_the_run_in_its_own_words(vllm: VLLM, sessions: Path, tmp_path: Path) -> None:
    start = vllm.count()
    for settings, said in (
        ({"key": "another-key"}, "(401): Unauthorized"),
        ({"model": "another"}, "(404): The model `another` does not exist."),
    ):
        done, figures = run(vllm, sessions, tmp_path / "filled.jsonl", **settings)
        assert done.returncode == 1
        assert said in done.stderr
        assert said in figures["stopped"]
        assert "another-key" not in done.stdout + done.stderr
    assert vllm.count() == start


def test_a_prompt_over_the_models_length_costs_its_step_and_a_shorter_page_is_answered(
    vllm: VLLM, tmp_path: Path
) -> None:
    sessions, out = tmp_path / "long.jsonl", tmp_path / "filled.jsonl"
    page = "a red hat " * 1_000
    step = {"html": f'<p>{page}</p><button name="hat">Buy</button>', "action": {"type": "click", "name": "hat"}}
    sessions.write_text(json.dumps({"session": "s", "steps": [step]}) + "\n")
    done, figures = run(vllm, sessions, out)
    assert done.returncode == 1
    assert figures["stopped"] is None
    assert "rejected: 400: " in done.stderr
    assert "2048" in done.stderr, "the length is named"
    _, figures = run(vllm, sessions, out, "--max-page-chars", 2_000)
    assert (figures["stopped"], figures["pages_cut"]) == (None, 1)
    assert figures["answers"] >= 1
