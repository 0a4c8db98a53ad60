"""What the certainty of a group of rollouts costs: our plugin in vLLM beside vLLM's own `prompt_logprobs`.

A group of 8 completions of 100 tokens on a prompt of 4,000, with random weights, on the CPU build. A vocabulary is too
large to be told in full for all these tokens: that is timed for one completion of a small one, and for few of Qwen's.
    python -m benchmarks.certainty

Needs `.venv-train`, which `make bench` makes. Figures of one run are in docs/certainty.md.
"""

import random
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import httpx
import torch
from rich.console import Console
from rich.table import Table
from transformers import Qwen2Config, Qwen2ForCausalLM

from benchmarks.arguments import no_arguments
from tests.e2e.vllm_server import SCORING, STOCK, serving
from tests.reward_server.certainty.tiny_models import write_model

GROUP, PROMPT, COMPLETION = 8, 4_000, 100
LONGEST = PROMPT + COMPLETION + 96
CONSOLE = Console(stderr=True)


class Cost(NamedTuple):
    """Of one group."""

    what: str
    seconds: float
    answer_bytes: int
    tokens_read: int
    """Tokens of prompts and completions that the model computed."""


def write_wide_model(folder: Path, vocab_size: int, hidden_size: int) -> Path:
    """A Qwen2 of 4 layers with a tokenizer of its own, which nobody asks."""
    write_model(folder, "qwen2", 0)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=4,
        num_attention_heads=hidden_size // 32,
        num_key_value_heads=2,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=2,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


def tokens(count: int) -> list[int]:
    return [random.randrange(3, 400) for _ in range(count)]


def in_plugin(folder: Path) -> list[Cost]:
    """A group that was never seen, the next step's group of the same prompt, and each token's numbers."""
    costs = []
    with serving(SCORING, folder, "--max-model-len", str(LONGEST), "--block-size", "32") as server:

        def ask(what: str, prompt: list[int], **more: Any) -> None:
            completions = [{"token_ids": tokens(COMPLETION), "span": [0, COMPLETION]} for _ in range(GROUP)]
            message = {"prompt_token_ids": prompt, "completions": completions, **more}
            begin = perf_counter()
            answer = httpx.post(f"{server.url}/self_certainty", json=message, timeout=None).raise_for_status()
            seconds = perf_counter() - begin
            read = sum(PROMPT + COMPLETION - result["cached_tokens"] for result in answer.json()["results"])
            costs.append(Cost(what, seconds, len(answer.content), read))

        ask("warm-up", tokens(PROMPT))
        costs.clear()
        prompt = tokens(PROMPT)
        ask("plugin, new prompt", prompt)
        ask("plugin, prompt seen before", prompt)
        ask("plugin, new prompt, every token's numbers", tokens(PROMPT), per_token=True)
    return costs


def in_stock(folder: Path, asked: list[tuple[str, int, int, int, int]]) -> list[Cost]:
    """vLLM's own logprobs, by (what, k, completions, tokens of the prompt, tokens of each); k = -1 is all of them."""
    costs = []
    with serving(STOCK, "--model", folder, "--max-model-len", str(LONGEST), "--max-logprobs", "-1") as server:

        def one(prompt: list[int], k: int) -> int:
            message = {"model": str(folder), "prompt": prompt, "max_tokens": 1, "prompt_logprobs": k}
            url = f"{server.url}/v1/completions"
            with httpx.stream("POST", url, json=message, timeout=None) as answer:
                answer.raise_for_status()
                return sum(map(len, answer.iter_bytes()))

        one(tokens(PROMPT), 1)
        for what, k, count, prompt_length, completion_length in asked:
            prompt = tokens(prompt_length)
            with ThreadPoolExecutor(count) as pool:
                begin = perf_counter()
                sizes = list(pool.map(one, [prompt + tokens(completion_length) for _ in range(count)], [k] * count))
                seconds = perf_counter() - begin
            costs.append(Cost(what, seconds, sum(sizes), count * (prompt_length + completion_length)))
    return costs


def measure(title: str, vocab_size: int, hidden_size: int, full: tuple[int, int, int]) -> None:
    """All ways for one model; `full` is how many completions of what prompt are told of the whole vocabulary."""
    with tempfile.TemporaryDirectory() as root, CONSOLE.status(f"{title} …"):
        folder = write_wide_model(Path(root) / "model", vocab_size, hidden_size)
        costs = in_plugin(folder)
        whole = f"stock, prompt_logprobs=-1, {full[0]} of {full[1]:,} + {full[2]} tokens"
        asked = [("stock, prompt_logprobs=20", 20, GROUP, PROMPT, COMPLETION), (whole, -1, *full)]
        costs += in_stock(folder, asked)
    show(title, costs)


def show(title: str, costs: list[Cost]) -> None:
    table = Table(title=title)
    headings: list[tuple[str, Callable[[Cost], str]]] = [
        ("a group of 8", lambda cost: cost.what),
        ("of the plugin's time", lambda cost: f"{cost.seconds / costs[0].seconds:,.2f} ×"),
        ("seconds", lambda cost: f"{cost.seconds:.2f}"),
        ("bytes answered", lambda cost: f"{cost.answer_bytes:,}"),
        ("tokens computed", lambda cost: f"{cost.tokens_read:,}"),
    ]
    for number, (heading, _) in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    for cost in costs:
        table.add_row(*(cell(cost) for _, cell in headings))
    Console(width=140).print(table)


if __name__ == "__main__":
    no_arguments(__doc__)
    random.seed(0)
    measure("512 tokens, hidden size 128", 512, 128, (1, PROMPT, COMPLETION))
    measure("151,936 tokens as Qwen's, hidden size 256: 42 M parameters", 151_936, 256, (1, 0, 4))
