"""The same rollouts earn the same bytes: in any company, any number at once, in any process, under any Python."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from reward_server import wire
from reward_server.scoring import to_wire
from tests.fuzz.amount import EXAMPLES
from tests.fuzz.rollouts import SCORERS
from tests.fuzz.seeds import COMPLETIONS, PROMPT
from tests.fuzz.targets import LABELS
from tests.servers import Server, running_server

pytestmark = pytest.mark.e2e

COUNT = 25 * EXAMPLES
BATCHES = (1, 7, 1_024)
AT_ONCE = (1, 16)
PATIENCE = 600
"""Seconds that a batch may take behind those of all the others."""
PACKAGES = ("fastapi", "httptools", "httpx", "numpy", "orjson", "prometheus-client", "pydantic", "pydantic-settings")
PACKAGES += ("rapidfuzz", "rich", "tokenizers", "typer", "uvicorn", "uvloop")

_CERTAIN, _PLAIN = SCORERS["shop-r1"], SCORERS["shop-r1-no-rationale"]
_LONG_PROMPT = "<div name='result'>A very good mouse</div>\n" * 2_000


@cache
def rollouts() -> Sequence[dict[str, Any]]:
    """Valid and invalid, short and as long as a page makes them; the same in every run."""
    random = Random(7)
    return [_rollout(random, number) for number in range(COUNT)]


def _rollout(random: Random, number: int) -> dict[str, Any]:
    label = random.choice(LABELS)
    words = " ".join(random.choices(["I", "like this", "mouse:", "wireless", "and so cheap", "für", "価格"], k=20))
    fields = {name: " ".join([text, *random.choices(["gaming", "x"], k=number % 3)]) for name, text in label.items()}
    action = random.choice([label, {**fields, "type": label["type"]}, random.choice(LABELS)])
    completion = random.choice([json.dumps({"rationale": words, "action": action})] * 3 + [*COMPLETIONS[:8]])
    rows = [_top_logprobs(random) for _ in range(random.randint(1, 4))]
    return {
        "id": str(number),
        "group": str(number // 8),
        "completion": completion[: random.choice([len(completion)] * 9 + [40])],
        "label": label,
        "prompt": _LONG_PROMPT if number % 50 == 0 else PROMPT,
        "certainty": {"vocab_size": 151_936, "top_logprobs": rows},
    }


def _top_logprobs(random: Random) -> list[float]:
    """The five largest of a distribution: they sum to less than 1, and leave less to each of the others."""
    return [-random.uniform(0.4, 1), *sorted((-random.uniform(3, 10) for _ in range(4)), reverse=True)]


@cache
def expected() -> tuple[list[bytes], list[bytes]]:
    """What the scorer gives in this process, all in one batch: full results, and OpenRLHF's two numbers."""
    read = [wire.Rollout.model_validate(rollout) for rollout in rollouts()]
    certain = asyncio.run(_CERTAIN.score(read))
    plain = asyncio.run(_PLAIN.score(read))
    assert {item.card.reason for item in plain} >= {None, "not_json", "extra_text", "duplicate_key"}
    return (
        [orjson.dumps(to_wire(rollout, item)) for rollout, item in zip(read, certain, strict=True)],
        [orjson.dumps((item.card.reward, item.card.score)) for item in plain],
    )


def in_batches(size: int, at_once: int, send: Callable[[Sequence[dict[str, Any]]], list[bytes]]) -> list[bytes]:
    """One answer per rollout, in order."""
    every = rollouts()
    batches = [every[start : start + size] for start in range(0, len(every), size)]
    with ThreadPoolExecutor(at_once) as pool:
        return [answer for answers in pool.map(send, batches) for answer in answers]


def natively(server: Server, batch: Sequence[dict[str, Any]]) -> list[bytes]:
    response = server.post("/score", content=orjson.dumps({"rollouts": batch}), timeout=PATIENCE)
    assert response.status_code == 200, response.text[:500]
    return [orjson.dumps(result) for result in orjson.loads(response.content)["results"]]


def as_openrlhf(server: Server, batch: Sequence[dict[str, Any]]) -> list[bytes]:
    message = {
        "query": [rollout["prompt"] + rollout["completion"] for rollout in batch],
        "prompts": [rollout["prompt"] for rollout in batch],
        "labels": [rollout["label"] for rollout in batch],
    }
    response = server.post("/score?spec=shop-r1-no-rationale", content=orjson.dumps(message), timeout=PATIENCE)
    assert response.status_code == 200, response.text[:500]
    answer = orjson.loads(response.content)
    return [orjson.dumps(pair) for pair in zip(answer["rewards"], answer["scores"], strict=True)]


def assert_same(server: Server, sizes: Sequence[int], at_once: Sequence[int]) -> None:
    in_full, numbers = expected()
    for size in sizes:
        for number in at_once:
            assert in_batches(size, number, lambda batch: natively(server, batch)) == in_full, (size, number)
            assert in_batches(size, number, lambda batch: as_openrlhf(server, batch)) == numbers, (size, number)


def test_company_and_concurrency_change_no_byte() -> None:
    with running_server(PYTHONHASHSEED="0") as server:
        assert_same(server, BATCHES, AT_ONCE)


def test_another_hash_seed_and_four_workers_change_no_byte() -> None:
    with running_server("--workers", "4", PYTHONHASHSEED="1") as server:
        assert_same(server, BATCHES, AT_ONCE[1:])


@pytest.fixture(scope="module", params=["3.11", "3.12", "3.13"])
def other_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with another Python of this machine, and what the server needs in the releases it has here."""
    uv = Path(sys.executable).with_name("uv")
    if f"{sys.version_info.major}.{sys.version_info.minor}" == request.param:
        pytest.skip("this is the Python that runs the tests")
    found = subprocess.run([uv, "python", "find", "--no-python-downloads", request.param], capture_output=True)
    if found.returncode:
        pytest.skip(f"no Python {request.param} on this machine")
    folder = tmp_path_factory.mktemp("python") / "venv"
    python = folder / "bin" / "python"
    pinned = [f"{name}=={version(name)}" for name in PACKAGES]
    subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", request.param, folder], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *pinned], check=True)
    return python


def test_another_python_changes_no_byte(other_python: Path) -> None:
    root = str(Path(__file__).parents[2])
    with running_server(python=str(other_python), PYTHONPATH=root) as server:
        assert_same(server, BATCHES[1:], AT_ONCE[1:])
