"""From `POST /score` through our server to a real vLLM and back, against transformers in double precision."""

import json
import math
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tokenizers import Tokenizer

from reward_server.certainty.characters import rationale_characters
from tests.e2e.self_certainty import KEY, TOLERANCE, VOCABULARY, Scoring, divergences, logprobs
from tests.e2e.vllm_server import STOCK, VLLMServer, serving
from tests.reward_server.certainty.tiny_models import write_model
from tests.servers import Server, running_server

pytestmark = pytest.mark.e2e

ALPHA = 0.005
"""The paper's weight of the certainty."""
LABEL = {"type": "click", "name": "add_to_cart.buy_now"}
RATIONALES = (
    "It fits my budget, so I buy it now.",
    "I am done.",
    'The 16" one — “warm”, 帽子 🎩 & £9 — is in.',
    "x",
    "The reviews are good.\nI want it." * 20,
)
PROMPTS = ("The page shows a rice cooker.", "The page shows a hat. " * 60, "<|im_start|>user\nWhat next?<|im_end|>\n")


def completion(rationale: str, as_ascii: bool = False) -> str:
    return json.dumps({"rationale": rationale, "action": LABEL}, ensure_ascii=as_ascii)


@pytest.fixture(autouse=True)
def _reads_texts(request: pytest.FixtureRequest) -> None:
    if "scoring" in request.fixturenames and request.getfixturevalue("scoring").architecture == "gemma2":
        pytest.skip("transformers reads any tokenizer beside such a model as Gemma's own, which this is not")


@cache
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def rationale_in(folder: Path, text: str, prompt: str) -> tuple[list[int], int, int]:
    """The tokens of prompt and completion, and which of them the rationale has a part in, as the tokenizer says."""
    before = tokenizer(folder).encode(prompt, add_special_tokens=False).ids
    encoding = tokenizer(folder).encode(text, add_special_tokens=False)
    start, end = rationale_characters(text)
    inside = [index for index, (low, high) in enumerate(encoding.offsets) if low < end and high > start]
    return [*before, *encoding.ids], len(before) + inside[0], len(before) + inside[-1] + 1


def batch() -> list[dict[str, Any]]:
    """Every rationale after every prompt, groups in disorder, some twice; beside invalid and empty ones."""
    rollouts: list[dict[str, Any]] = [
        {"completion": completion(rationale, as_ascii), "label": LABEL, "prompt": prompt}
        for rationale in RATIONALES
        for as_ascii in (False, True)
        for prompt in PROMPTS
    ]
    rollouts += rollouts[:4]
    rollouts.insert(3, {"completion": "not JSON", "label": LABEL, "prompt": PROMPTS[0]})
    rollouts.insert(5, {"completion": completion(""), "label": LABEL, "prompt": PROMPTS[0]})
    return rollouts


@pytest.fixture(scope="module")
def server(scoring: Scoring) -> Iterator[Server]:
    flags = ("--certainty", "vllm", "--vllm-url", scoring.url, "--vllm-api-key", KEY, "--certainty-model", "tiny")
    with running_server(*flags) as running:
        yield running


def score(server: Server, rollouts: list[dict[str, Any]], path: str = "/score") -> dict[str, Any]:
    answer = server.post(path, json={"rollouts": rollouts})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("shop-r1", "kl_to_uniform"),
        ("shop-r1-kl-from-uniform", "kl_from_uniform"),
        ("shop-r1-kl-to-uniform-over-vocab", "kl_to_uniform_over_vocab"),
    ],
)
def test_every_reward_has_the_exact_certainty_of_its_rationale(
    scoring: Scoring, server: Server, spec: str, kind: str
) -> None:
    rollouts = batch()
    answer = score(server, rollouts, f"/score?spec={spec}")
    for rollout, result, reward in zip(rollouts, answer["results"], answer["rewards"], strict=True):
        found, terms = result["certainty"], result["terms"]
        if result["reason"] or found["tokens"] == 0:
            assert terms["certainty"] == 0
            continue
        to_uniform, from_uniform = divergences(
            scoring.folder, *rationale_in(scoring.folder, rollout["completion"], rollout["prompt"])
        )
        expected = {
            "kl_to_uniform": to_uniform,
            "kl_from_uniform": from_uniform,
            "kl_to_uniform_over_vocab": to_uniform / VOCABULARY,
        }[kind]
        assert found["value"] == found["lower"] == found["upper"] == pytest.approx(expected, abs=TOLERANCE)
        assert (found["kind"], found["source"], found["model"]) == (kind, "vllm", "tiny")
        assert terms["certainty"] == pytest.approx(ALPHA * expected, abs=ALPHA * TOLERANCE)
        assert reward == pytest.approx(0.5 + 0.3 + 0.2 + 1000 + terms["certainty"])


def test_tokens_that_the_policy_wrote_are_measured_as_it_wrote_them(scoring: Scoring, server: Server) -> None:
    text, prompt = completion("It fits."), PROMPTS[0]
    own = [number for letter in text for number in tokenizer(scoring.folder).encode(letter).ids]
    before = tokenizer(scoring.folder).encode(prompt).ids
    rollout = {
        "completion": text,
        "label": LABEL,
        "prompt_token_ids": before,
        "completion_token_ids": [*own, tokenizer(scoring.folder).token_to_id("<|im_end|>")],
    }
    (result,) = score(server, [rollout])["results"]
    # One token a letter: the rationale's are those of its letters.
    start, end = (len(before) + position for position in rationale_characters(text))
    expected, _ = divergences(scoring.folder, [*before, *own], start, end)
    assert result["certainty"]["tokens"] == len("It fits.")
    assert result["certainty"]["value"] == pytest.approx(expected, abs=TOLERANCE)


def test_openrlhf_gets_the_same_rewards(scoring: Scoring, server: Server) -> None:
    rollouts = [rollout for rollout in batch() if rollout["prompt"] == PROMPTS[2]]
    answer = server.post(
        json={
            "query": [rollout["prompt"] + rollout["completion"] + "<|im_end|>" for rollout in rollouts],
            "prompts": [rollout["prompt"] for rollout in rollouts],
            "labels": [json.dumps(rollout["label"]) for rollout in rollouts],
        }
    )
    assert answer.json()["rewards"] == pytest.approx(score(server, rollouts)["rewards"], abs=ALPHA * TOLERANCE)
    assert answer.headers["x-certainty-model"] == "tiny"


def test_without_a_prompt_the_completion_stands_alone_and_says_so(scoring: Scoring, server: Server) -> None:
    text = completion(RATIONALES[0])
    (result,) = score(server, [{"completion": text, "label": LABEL}])["results"]
    expected, _ = divergences(scoring.folder, *rationale_in(scoring.folder, text, ""))
    assert result["certainty"]["value"] == pytest.approx(expected, abs=TOLERANCE)
    assert result["certainty"]["context"] is False


def test_the_answers_say_which_weights_they_are_of(scoring: Scoring, server: Server) -> None:
    rollouts = batch()
    (before, *_) = score(server, rollouts)["results"]
    assert before["certainty"]["revision"] == scoring.about()["revision"]
    try:
        scoring.post("/reload", path=str(scoring.other), revision="step-100")
        (after, *_) = score(server, rollouts)["results"]
        expected, _ = divergences(
            scoring.other, *rationale_in(scoring.folder, rollouts[0]["completion"], rollouts[0]["prompt"])
        )
        assert after["certainty"]["revision"] == "step-100"
        assert after["certainty"]["value"] == pytest.approx(expected, abs=TOLERANCE)
        assert server.get("/version").json()["certainty"]["revision"] == "step-100"
        assert 'revision="step-100"' in server.get("/metrics").text
    finally:
        scoring.post("/reload", path=str(scoring.folder))


def test_a_prompt_that_is_too_long_is_refused_and_not_cut(server: Server) -> None:
    answer = server.post(json={"rollouts": [{"completion": completion("x"), "label": LABEL, "prompt": "hat " * 5000}]})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/rollouts/0/prompt")
    assert "more than the 4096 that the model reads" in answer.json()["detail"]


def test_a_vllm_that_hangs_costs_patience_and_then_a_503_and_no_reward(scoring: Scoring) -> None:
    flags = ("--certainty", "vllm", "--vllm-url", scoring.url, "--vllm-api-key", KEY, "--patience", "2")
    rollouts = batch()
    with running_server(*flags) as server:
        rewards = score(server, rollouts)["rewards"]
        scoring.server.process.send_signal(signal.SIGSTOP)
        try:
            answer = server.post(json={"rollouts": rollouts})
            assert (answer.status_code, answer.json()["type"].split(":")[-1]) == (503, "certainty-unavailable")
            assert int(answer.headers["retry-after"]) > 0
        finally:
            scoring.server.process.send_signal(signal.SIGCONT)
        assert score(server, rollouts)["rewards"] == pytest.approx(rewards, abs=ALPHA * TOLERANCE)


def test_another_model_than_the_one_it_was_told_of_is_not_asked(scoring: Scoring) -> None:
    flags = ("--certainty", "vllm", "--vllm-url", scoring.url, "--vllm-api-key", KEY, "--certainty-model", "Qwen/Other")
    with running_server(*flags) as server:
        for answer in (server.post(json={"rollouts": batch()}), server.get("/readyz")):
            assert answer.status_code == 503
            assert "'tiny'" in answer.json()["detail"]
            assert "'Qwen/Other'" in answer.json()["detail"]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VLLMServer, Path]]:
    """A vLLM that generates; our plugin is installed beside it, and not asked for."""
    folder = write_model(tmp_path_factory.mktemp("stock") / "0", "qwen2", 0)
    with serving(STOCK, "--model", folder, "--max-model-len", "4096") as running:
        yield running, folder


def test_a_stock_vllm_gives_certified_bounds(stock: tuple[VLLMServer, Path]) -> None:
    running, folder = stock
    rollouts = [rollout for rollout in batch() if rollout["prompt"] != PROMPTS[2]][:12]
    flags = ("--certainty", "vllm-logprobs", "--vllm-url", running.url, "--certainty-model", str(folder))
    with running_server(*flags) as server:
        results = score(server, rollouts)["results"]
    for rollout, result in zip(rollouts, results, strict=True):
        found = result["certainty"]
        if result["reason"] or found["tokens"] == 0:
            continue
        place = rationale_in(folder, rollout["completion"], rollout["prompt"])
        exact, _ = divergences(folder, *place)
        lower, upper = loosest_and_tightest(logprobs(folder, *place))
        assert (found["lower"], found["upper"]) == pytest.approx((lower, upper), abs=TOLERANCE)
        assert found["lower"] - TOLERANCE <= exact <= found["upper"] + TOLERANCE
        assert found["value"] == pytest.approx((found["lower"] + found["upper"]) / 2)


def loosest_and_tightest(rows: Any, k: int = 20) -> tuple[float, float]:
    """Mean KL(p‖U) of the distributions with the same k likeliest tokens that have the evenest and fullest tails."""
    lower, upper = [], []
    for row in np.sort(np.exp(rows), axis=1)[:, ::-1]:
        head, mass, rest = row[:k], 1 - row[:k].sum(), row.size - k
        full = min(int(mass / head[-1]), rest)
        even = np.concatenate([head, np.full(rest, mass / rest)])
        packed = np.concatenate([head, np.full(full, head[-1]), [mass - full * head[-1]]])
        lower.append((even * np.log(even * row.size)).sum())
        upper.append((packed * np.log(packed)).sum() + math.log(row.size))
    return float(np.mean(lower)), float(np.mean(upper))


def test_a_stock_vllm_has_no_plugin_and_is_told_how_to_get_one(stock: tuple[VLLMServer, Path]) -> None:
    with running_server("--certainty", "vllm", "--vllm-url", stock[0].url) as server:
        answer = server.post(json={"rollouts": batch()})
        assert (answer.status_code, answer.json()["type"].split(":")[-1]) == (503, "certainty-mismatch")
        assert "reward_server.vllm_plugin" in answer.json()["detail"]


def test_the_plugin_leaves_a_stock_vllm_as_it_is(stock: tuple[VLLMServer, Path]) -> None:
    answer = httpx.post(
        f"{stock[0].url}/v1/completions",
        json={"model": str(stock[1]), "prompt": [5, 6, 7], "max_tokens": 4, "temperature": 0, "ignore_eos": True},
        timeout=60,
    )
    assert answer.json()["usage"]["completion_tokens"] == 4
    assert httpx.get(f"{stock[0].url}/self_certainty").status_code == 404
