"""Bytes that a rollout takes to the server: OpenRLHF's own body beside ours, with certainty instead of the page.

    python -m benchmarks.rollout_bytes

For a page of 100 KB, which OpenRLHF sends twice. The rationales are those of 30 steps of a simulated shop that the demo
model has not seen, with its logprobs; and 100 tokens over Qwen's vocabulary, each of a Zipf distribution of its own:
half of them nearly sure, or all of them unsure, where nothing can be left out.
"""

import json
from collections.abc import Iterator
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from benchmarks.arguments import no_arguments
from benchmarks.bounds import rationale_logits
from reward_server import wire
from reward_server.certainty.divergence import Floats, bounds_from_top_k
from reward_server.certainty.model_files import DEMO_MODEL
from reward_server.certainty.shortening import shortened
from reward_server.certainty.span import RationaleFinder
from trainer.tiny_model.examples import examples, held_out_sessions

STEPS, SHOP, TOP_K, PAGE_BYTES = 30, 2, 20, 100_000
QWEN = 151_936
SURE_AND_UNSURE, UNSURE = (1.5, 6.5), (1.2, 2.0)
"""From which to which exponent of Zipf's law."""


class Case(NamedTuple):
    """One rollout."""

    prompt: str
    completion: str
    label: dict[str, str]
    logprobs: Floats
    """The k largest of each token of the rationale, as vLLM gives them: float32."""
    vocab_size: int


def of_demo_model(*, after_prompt: bool) -> Iterator[Case]:
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32).eval()
    finder = RationaleFinder(Tokenizer.from_file(str(DEMO_MODEL / "tokenizer.json")), model.config.vocab_size)
    for example in examples(held_out_sessions(SHOP, STEPS)):
        logits = rationale_logits(model, finder, example.prompt if after_prompt else "", example.answer)
        logprobs = logits.log_softmax(dim=1).topk(TOP_K, dim=1).values.clamp(max=0).numpy()
        yield Case(example.prompt, example.answer, example.action, logprobs, model.config.vocab_size)


def of_zipf(least: float, most: float) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    label = {"type": "click", "name": "search_results.tiger_jbv_s18u_10_c.view_product"}
    rationale = "I compare the price with what I wanted to spend, and the reviews look good to me. " * 5
    completion = json.dumps({"rationale": rationale, "action": label})
    log_ranks = np.log(np.arange(1, QWEN + 1))
    for _ in range(4):
        rows = [-exponent * log_ranks for exponent in rng.uniform(least, most, 100)]
        largest = [row[:TOP_K] - np.log(np.exp(row).sum()) for row in rows]
        yield Case("<div>a page</div> ", completion, label, np.array(largest, dtype=np.float32), QWEN)


def openrlhf_bytes(case: Case) -> int:
    """`openrlhf/utils/agent.py`: the query is the prompt again, and the completion."""
    page = (case.prompt * (PAGE_BYTES // len(case.prompt) + 1))[:PAGE_BYTES]
    return len(json.dumps({"query": [page + case.completion], "prompts": [page], "labels": [json.dumps(case.label)]}))


def our_bytes(case: Case, rows: list[list[float]]) -> int:
    """As the executor sends it."""
    rollout = wire.Rollout(
        id="0123456789-1023/7",
        group="0123456789-1023",
        completion=case.completion,
        label=json.dumps(case.label),
        certainty=wire.CertaintyEvidence(vocab_size=case.vocab_size, top_logprobs=rows),
    )
    return len(wire.ScoreRequest(rollouts=[rollout]).model_dump_json(exclude_none=True).encode())


def width(case: Case, rows: list[list[float]]) -> float:
    """Of the bounds of KL(p‖U), mean over the rationale's tokens, in nats."""
    each = (bounds_from_top_k(np.array([row]), case.vocab_size) for row in rows)
    return fmean(float(bounds.upper[0] - bounds.lower[0]) for bounds in each)


def table() -> Table:
    """A row for each kind of rationale; all figures are means over its rollouts."""
    found = Table(title=f"Bytes per rollout, page of {PAGE_BYTES // 1000} KB")
    headings = (
        "rationale",
        "tokens",
        "OpenRLHF",
        f"all {TOP_K}",
        "fewer",
        "shortened",
        "fewer",
        "a token",
        "bounds, nats",
    )
    for heading in headings:
        found.add_column(heading, justify="left" if heading == "rationale" else "right")
    kinds = {
        "demo model, after its prompt": of_demo_model(after_prompt=True),
        "demo model, on its own": of_demo_model(after_prompt=False),
        "Zipf, half of it nearly sure": of_zipf(*SURE_AND_UNSURE),
        "Zipf, unsure of every token": of_zipf(*UNSURE),
    }
    for kind, cases in kinds.items():
        rows = [measured(case) for case in track(cases, kind, transient=True)]
        tokens, stock, whole, short, told, wide, wider = (fmean(column) for column in zip(*rows, strict=True))
        sizes = (f"{stock:,.0f}", f"{whole:,.0f}", f"{stock / whole:.0f} ×", f"{short:,.0f}", f"{stock / short:.0f} ×")
        found.add_row(kind, f"{tokens:.0f}", *sizes, f"{told / tokens:.0f}", f"{wide:.5f} → {wider:.5f}")
    return found


def measured(case: Case) -> tuple[float, ...]:
    """Tokens; bytes of OpenRLHF's body, of ours with all logprobs, of ours, of its logprobs; widths of both bounds."""
    whole = case.logprobs.tolist()
    short = shortened(case.logprobs.astype(np.float64), case.vocab_size)
    told = len(json.dumps(short, separators=(",", ":")))
    sizes = (openrlhf_bytes(case), our_bytes(case, whole), our_bytes(case, short), told)
    return (len(whole), *sizes, width(case, whole), width(case, short))


if __name__ == "__main__":
    no_arguments(__doc__)
    Console(width=120).print(table())
