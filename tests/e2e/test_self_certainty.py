"""The plugin inside a real vLLM, against transformers in double precision: each architecture set up in another way."""

import json
import logging
import math
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from tests.e2e.self_certainty import BLOCK, KEY, LONGEST, TOLERANCE, VOCABULARY, Asked, Scoring, divergences, logprobs

pytestmark = pytest.mark.e2e

LOG = logging.getLogger(__name__)


def tokens(count: int, seed: int) -> list[int]:
    drawn = random.Random(seed)
    return [drawn.randrange(3, 400) for _ in range(count)]


def group(seed: int, prompt: int) -> tuple[list[int], list[Asked]]:
    """A prompt of that many tokens, and completions asked about at both ends, in the middle, at one token, at none."""
    first = 0 if prompt else 1
    completions: list[Asked] = [
        (tokens(40, seed + 1), first, 40),
        (tokens(40, seed + 1), 12, 13),
        (tokens(70, seed + 2), first, first + 1),
        (tokens(33, seed + 3), 32, 33),
        (tokens(90, seed + 4), 20, 75),
        (tokens(10, seed + 5), 4, 4),
        (tokens(300, seed + 6), 17, 290),
    ]
    return tokens(prompt, seed), completions


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 255, 256, 257, 1000, LONGEST - 300])
def test_every_value_is_that_of_transformers_with_the_cache_cold_and_warm(scoring: Scoring, length: int) -> None:
    prompt, completions = group(length, length)
    cold = scoring.error(scoring.folder, prompt, *completions)
    warm = scoring.error(scoring.folder, prompt, *completions)
    LOG.info("%s, prompt of %d: largest error %.1e nats cold, %.1e warm", scoring.architecture, length, cold, warm)
    assert max(cold, warm) <= TOLERANCE


def test_completions_that_share_their_beginnings_are_told_apart(scoring: Scoring) -> None:
    shared = tokens(200, 91)
    completions: list[Asked] = [(shared[:90] + tokens(40, seed), 3, 128) for seed in range(8)]
    prompt = tokens(75, 90)
    assert scoring.error(scoring.folder, prompt, *completions, *completions) <= TOLERANCE


def test_many_may_ask_at_once_for_long_and_short_at_the_same_time(scoring: Scoring) -> None:
    lengths = [0, 5, 700, 64, 1300, 33, 2000, 1, 300, 900]
    expected = [group(1000 + seed, length) for seed, length in enumerate(lengths)]
    with ThreadPoolExecutor(len(lengths)) as pool:
        errors = list(pool.map(lambda asked: scoring.error(scoring.folder, asked[0], *asked[1]), expected * 2))
    assert max(errors) <= TOLERANCE


def test_a_prompt_is_computed_once_for_its_group(scoring: Scoring) -> None:
    prompt = tokens(3000, 7_000)
    completions: list[Asked] = [(tokens(100, 7_001 + seed), 10, 60) for seed in range(8)]
    results = scoring.measure(prompt, *completions)
    computed = sum(len(prompt) + 60 - result["cached_tokens"] for result in results)
    if scoring.architecture == "llama":
        assert computed == 8 * 3060
    elif scoring.architecture == "gemma2":
        # A window's blocks are given back as it moves on, and what is left of them is less than a prefix.
        assert computed < 8 * 3060
    else:
        assert computed <= 1.3 * len(prompt)


def test_what_was_scored_before_is_scored_again_from_the_cache_or_else_in_full(scoring: Scoring) -> None:
    prompt = tokens(500, 8_000)
    asked: Asked = (tokens(200, 8_001), 10, 150)
    (first,), (again,) = scoring.measure(prompt, asked), scoring.measure(prompt, asked)
    assert first["kl_to_uniform"] == pytest.approx(again["kl_to_uniform"], abs=1e-5)
    assert not first["rescored"]
    assert (again["rescored"], again["cached_tokens"]) == {
        # The last block before position 510 − 1, whose distribution is needed.
        "qwen2": (False, 480),
        "qwen3": (True, 0),
        "llama": (False, 0),
        "gemma2": (False, 0),
    }[scoring.architecture]


def test_each_tokens_own_numbers_come_in_few_bytes(scoring: Scoring) -> None:
    prompt, token_ids = tokens(50, 9_000), tokens(120, 9_001)
    (result,) = scoring.measure(prompt, (token_ids, 10, 110), per_token=True)
    rows = logprobs(scoring.folder, prompt + token_ids, 60, 160)
    own = result["per_token"]
    assert own["entropy"] == pytest.approx(-(np.exp(rows) * rows).sum(axis=1), abs=TOLERANCE)
    assert own["kl_from_uniform"] == pytest.approx(-math.log(VOCABULARY) - rows.mean(axis=1), abs=TOLERANCE)
    assert own["logprob"] == pytest.approx(rows[range(100), token_ids[10:110]], abs=TOLERANCE)
    assert len(json.dumps(own, separators=(",", ":"))) <= 32 * 100 + 60


def test_after_a_reload_it_is_the_new_weights_that_are_certain(scoring: Scoring) -> None:
    prompt, completions = group(11_000, 600)
    assert scoring.error(scoring.folder, prompt, *completions) <= TOLERANCE
    before = scoring.about()
    try:
        answer = scoring.post("/reload", path=str(scoring.other), revision="step-100")
        assert answer.status_code == 200, answer.text
        assert answer.json()["revision"] == scoring.about()["revision"] == "step-100"
        assert scoring.error(scoring.other, prompt, *completions) <= TOLERANCE
        assert scoring.error(scoring.folder, prompt, *completions) > 100 * TOLERANCE
    finally:
        assert scoring.post("/reload", path=str(scoring.folder)).status_code == 200
    assert scoring.about()["revision"] == before["revision"]
    assert str(before["revision"]).startswith("sha256:")
    assert scoring.error(scoring.folder, prompt, *completions) <= TOLERANCE


def test_nobody_gets_the_numbers_of_two_weights_while_they_change(scoring: Scoring) -> None:
    prompt, completions = group(12_000, 900)
    asked = [{"token_ids": token_ids, "span": span} for token_ids, *span in completions]

    def ask(_: int) -> dict[str, Any]:
        return dict(scoring.post(prompt_token_ids=prompt, completions=asked).json())

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(ask, range(24))
        for folder in (scoring.other, scoring.folder):
            assert scoring.post("/reload", path=str(folder), revision=folder.name).status_code == 200
        seen: dict[str, list[Any]] = {}
        for answer in answers:
            seen.setdefault(answer["revision"], []).append(answer["results"])
    assert scoring.post("/reload", path=str(scoring.folder)).status_code == 200
    for revision, results in seen.items():
        folder = scoring.other if revision == scoring.other.name else scoring.folder
        for result in results:
            for (token_ids, start, end), found in zip(completions, result, strict=True):
                if start < end:
                    expected, _ = divergences(folder, prompt + token_ids, 900 + start, 900 + end)
                    assert found["kl_to_uniform"] == pytest.approx(expected, abs=TOLERANCE)


def changed(folder: Path, to: Path, tensors: Callable[[dict[str, torch.Tensor]], object], **config: object) -> Path:
    """A copy of a checkpoint with changes."""
    to.mkdir()
    written = json.loads((folder / "config.json").read_bytes())
    (to / "config.json").write_text(json.dumps(written | config))
    weights = load_file(folder / "model.safetensors")
    tensors(weights)
    save_file(weights, to / "model.safetensors")
    return to


def test_weights_that_will_not_do_are_refused_and_nothing_is_touched(scoring: Scoring, tmp_path: Path) -> None:
    folder = scoring.folder
    named = scoring.post("/reload", path=str(folder), revision="taken")
    assert named.status_code == 200
    lacking = changed(folder, tmp_path / "lacking", lambda weights: weights.pop("model.norm.weight"))
    more = changed(folder, tmp_path / "more", lambda weights: weights.update({"model.extra": torch.zeros(1)}))
    rotated = changed(folder, tmp_path / "rotated", len, rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    cut = changed(folder, tmp_path / "cut", len)
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:-1])
    for body, pointer, reason in (
        ({"path": str(tmp_path / "nowhere")}, "/path", "no folder"),
        ({"path": str(tmp_path)}, "/path", "no *.safetensors"),
        ({"path": str(lacking)}, "/path", "lacks tensors, 1 of them: model.norm.weight"),
        ({"path": str(more)}, "/path", "has too many tensors, 1 of them: model.extra"),
        ({"path": str(rotated)}, "/path", "rope_parameters is"),
        ({"path": str(cut)}, "/path", "is it still being written?"),
        ({"path": str(scoring.other), "revision": "taken"}, "/revision", "the name of other weights already"),
        ({"path": str(folder), "revision": "two\nlines"}, "/revision", "pattern"),
    ):
        answer = scoring.post("/reload", **body)
        assert (answer.status_code, answer.json()["error"]["pointer"]) == (422, pointer)
        assert reason in answer.json()["error"]["reason"]
    assert scoring.about()["loaded_at"] == named.json()["loaded_at"]
    prompt, completions = group(13_000, 40)
    assert scoring.error(folder, prompt, *completions) <= TOLERANCE


def test_weights_that_are_no_numbers_give_none(scoring: Scoring, tmp_path: Path) -> None:
    empty = changed(scoring.folder, tmp_path / "empty", lambda weights: weights["model.norm.weight"].fill_(math.nan))
    assert scoring.post("/reload", path=str(empty)).status_code == 200
    answer = scoring.post(prompt_token_ids=[5], completions=[{"token_ids": [6], "span": [0, 1]}])
    assert scoring.post("/reload", path=str(scoring.folder)).status_code == 200
    assert (answer.status_code, "logits are not finite" in answer.json()["error"]["reason"]) == (409, True)


def test_nothing_is_computed_any_more_for_a_client_that_left(scoring: Scoring) -> None:
    asked = [{"token_ids": tokens(50, seed), "span": [0, 50]} for seed in range(8)]
    left = 0
    for seed in range(16):
        try:
            scoring.post(timeout=0.01, prompt_token_ids=tokens(4000, 20_000 + seed), completions=asked)
        except httpx.TimeoutException:
            left += 1
    assert left > 0
    assert scoring.error(scoring.folder, *group(21_000, 100)[:1], *group(21_000, 100)[1]) <= TOLERANCE
    metrics = httpx.get(f"{scoring.url}/metrics").text
    for name in ("running", "waiting"):
        assert re.search(rf"^vllm:num_requests_{name}{{.*}} 0.0$", metrics, re.MULTILINE)


@pytest.mark.parametrize(
    ("body", "pointer", "reason"),
    [
        ({"prompt_token_ids": [1, VOCABULARY]}, "/prompt_token_ids/1", "the id 512 is outside"),
        ({"prompt_token_ids": [-1]}, "/prompt_token_ids/0", "greater than or equal to 0"),
        ({"prompt_token_ids": "text"}, "/prompt_token_ids", "array"),
        ({"completions": []}, "/completions", "at least 1"),
        ({"completions": [{"token_ids": [1, 512], "span": [0, 1]}]}, "/completions/0/token_ids/1", "the id 512"),
        ({"completions": [{"token_ids": [1], "span": [0, 2]}]}, "/completions/0/span", "no part of a completion of 1"),
        ({"completions": [{"token_ids": [1], "span": [1, 0]}]}, "/completions/0/span", "no part"),
        ({"completions": [{"token_ids": [1], "span": [-1, 1]}]}, "/completions/0/span", "no part"),
        ({"completions": [{"token_ids": [1], "span": [0]}]}, "/completions/0/span", "at least 2"),
        (
            {"prompt_token_ids": [], "completions": [{"token_ids": [1], "span": [0, 1]}]},
            "/completions/0/span",
            "nothing",
        ),
        (
            {"prompt_token_ids": [1] * LONGEST},
            "/completions/0/span",
            "4096 tokens and 1 of the completion are 4097, more",
        ),
        ({"model": "another"}, "/model", "not permitted"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_field(
    scoring: Scoring, body: dict[str, Any], pointer: str, reason: str
) -> None:
    whole = {"prompt_token_ids": [1], "completions": [{"token_ids": [1], "span": [0, 1]}]}
    answer = scoring.post(**(whole | body))
    assert (answer.status_code, answer.json()["error"]["pointer"]) == (422, pointer)
    assert reason in answer.json()["error"]["reason"]


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}])
@pytest.mark.parametrize("path", ["", "/tokenizer"])
def test_a_server_with_a_key_tells_nothing_without_it(scoring: Scoring, header: dict[str, str], path: str) -> None:
    assert httpx.get(f"{scoring.url}/self_certainty{path}", headers=header).status_code == 401


def test_it_says_what_it_is(scoring: Scoring) -> None:
    about = scoring.about()
    assert (about["protocol"], about["model"], about["path"]) == (1, "tiny", str(scoring.folder))
    assert (about["vocab_size"], about["max_model_len"]) == (VOCABULARY, LONGEST)
    assert about["vllm"].startswith("0.32.")
    assert (about["prefix_caching"], about["cache_cap"]) == {
        "qwen2": (True, True),
        "qwen3": (True, False),
        "llama": (False, True),
        "gemma2": (True, True),
    }[scoring.architecture]
    if scoring.architecture == "gemma2":
        return  # transformers reads any tokenizer beside such a model as Gemma's own
    told = httpx.get(f"{scoring.url}/self_certainty/tokenizer", headers={"Authorization": f"Bearer {KEY}"})
    assert told.headers["etag"] == f'"{about["tokenizer"]}"'
    text = '<|im_start|>A hat, 帽子 🎩, for £9.99!\n\n  {"rationale": "I\\u0027m in"}<|im_end|>'
    expected = AutoTokenizer.from_pretrained(scoring.folder)(text, add_special_tokens=False)["input_ids"]
    assert Tokenizer.from_str(told.text).encode(text, add_special_tokens=False).ids == expected
