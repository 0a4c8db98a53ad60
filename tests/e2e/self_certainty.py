"""What the checks of self-certainty share: servers in different set-ups, and what transformers says in float64."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from transformers import AutoModelForCausalLM

from reward_server.certainty.divergence import Floats
from tests.e2e.vllm_server import SCORING, VLLMServer, serving
from tests.reward_server.certainty.tiny_models import Architecture, write_model

TOLERANCE = 1e-4
"""Nats, in single precision."""
KEY = "the-key"
VOCABULARY = 512
LONGEST = 4096
BLOCK = 32
SETTINGS: dict[Architecture, tuple[str, ...]] = {
    # Prompts come in chunks of 256 tokens; cache hits are kept off the spans. Qwen2.5 is this architecture too.
    "qwen2": ("--max-num-batched-tokens", "256", "--enable-chunked-prefill"),
    # No chunks; no cap, so that the check of the rows has work to do.
    "qwen3": ("--max-num-batched-tokens", str(LONGEST), "--no-enable-chunked-prefill", "--no-cache-cap"),
    # vLLM's own defaults, without a prefix cache; its head is not tied to its embeddings.
    "llama": ("--no-enable-prefix-caching",),
    # Every other layer sees the last 64 tokens only, so that its cache keeps no more; hits are kept off the spans.
    "gemma2": ("--max-num-batched-tokens", "512"),
}


@cache
def reference(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


def logprobs(folder: Path, token_ids: Sequence[int], start: int, end: int) -> Floats:
    """All log-probabilities of the tokens at [start, end), shape (tokens, V): one plain forward pass in float64."""
    with torch.no_grad():
        logits = reference(folder)(torch.tensor([token_ids])).logits[0, start - 1 : end - 1]
    return logits.log_softmax(-1).numpy()


def divergences(folder: Path, token_ids: Sequence[int], start: int, end: int) -> tuple[float, float]:
    """Mean KL(p‖U) and KL(U‖p), by their definitions."""
    rows = logprobs(folder, token_ids, start, end)
    to_uniform = (np.exp(rows) * (rows + math.log(VOCABULARY))).sum(axis=1)
    from_uniform = (-math.log(VOCABULARY) - rows).mean(axis=1)
    return float(to_uniform.mean()), float(from_uniform.mean())


@dataclass
class Scoring:
    """A vLLM that serves for self-certainty."""

    server: VLLMServer
    folder: Path
    """What it was started with."""
    other: Path
    """Other weights for it."""
    architecture: Architecture

    @property
    def url(self) -> str:
        return self.server.url

    def post(self, route: str = "", timeout: float = 120, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        return httpx.post(f"{self.url}/self_certainty{route}", json=body, headers=headers, timeout=timeout)

    def about(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/self_certainty", headers={"Authorization": f"Bearer {KEY}"}).json())

    def measure(self, prompt: list[int], *completions: "Asked", **more: Any) -> list[dict[str, Any]]:
        asked = [{"token_ids": token_ids, "span": span} for token_ids, *span in completions]
        answer = self.post(prompt_token_ids=prompt, completions=asked, **more)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    def error(self, folder: Path, prompt: list[int], *completions: "Asked") -> float:
        """The largest error, in nats, of what it says of completions, with the weights of a folder."""
        errors = [0.0]
        for (token_ids, start, end), result in zip(completions, self.measure(prompt, *completions), strict=True):
            assert result["tokens"] == end - start
            if start == end:
                assert result["kl_to_uniform"] == result["kl_from_uniform"] == 0
                continue
            expected = divergences(folder, prompt + token_ids, len(prompt) + start, len(prompt) + end)
            errors += [
                abs(result[kind] - value)
                for kind, value in zip(("kl_to_uniform", "kl_from_uniform"), expected, strict=True)
            ]
        return max(errors)


Asked = tuple[list[int], int, int]
"""A completion's tokens, and the span [start, end) asked about."""


@contextmanager
def scoring_server(architecture: Architecture, root: Path) -> Iterator[Scoring]:
    """A vLLM that serves a tiny model of an architecture for self-certainty."""
    folder, other = (write_model(root / str(seed), architecture, seed) for seed in (0, 1))
    settings = ("--served-model-name", "tiny", "--max-model-len", str(LONGEST), "--block-size", str(BLOCK))
    with serving(SCORING, folder, *settings, *SETTINGS[architecture], VLLM_API_KEY=KEY) as server:
        yield Scoring(server, folder, other, architecture)
