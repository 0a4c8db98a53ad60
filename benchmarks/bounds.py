"""How much top-k logprobs leave open of a rationale's KL(p‖U): width of the certified bounds by k, on the demo model.

    python -m benchmarks.bounds

Rationales of 200 steps of a simulated shop that the model has not seen, after their prompts and without.
"""

from math import log
from statistics import fmean, quantiles
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from benchmarks.arguments import no_arguments
from reward_server.certainty.divergence import bounds_from_top_k
from reward_server.certainty.exact import exact
from reward_server.certainty.model_files import DEMO_MODEL
from reward_server.certainty.span import RationaleFinder
from trainer.tiny_model.examples import examples, held_out_sessions

STEPS, SHOP = 200, 2
TOP_K = (1, 5, 20, 100)


def rationale_logits(model: Any, finder: RationaleFinder, prompt: str, completion: str) -> torch.Tensor:
    """Of every token of the rationale over the whole vocabulary."""
    before = finder.encode(prompt)
    found = finder.in_text(completion)
    with torch.inference_mode():
        logits = model(torch.tensor([[*before, *found.token_ids]])).logits[0]
    return logits[len(before) + found.start - 1 : len(before) + found.end - 1]


def main() -> None:
    """Print widths, and how far the middle of the bounds is from the truth."""
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32).eval()
    vocab_size = model.config.vocab_size
    finder = RationaleFinder(Tokenizer.from_file(str(DEMO_MODEL / "tokenizer.json")), vocab_size)
    asked = list(examples(held_out_sessions(SHOP, STEPS)))
    table = Table(title=f"bounds of KL(p‖U) per rationale, nats; ln V = {log(vocab_size):.2f}")
    for heading in ("", "k", "mean width", "95 % at most", "largest", "middle off the truth by"):
        table.add_column(heading, justify="right" if heading else "left")
    for title, keep in (("after its prompt", True), ("on its own", False)):
        rows = [
            rationale_logits(model, finder, example.prompt if keep else "", example.answer)
            for example in track(asked, title, console=Console(stderr=True))
        ]
        truths = [exact(row, "kl_to_uniform").mean().item() for row in rows]
        logprobs = [row.double().log_softmax(dim=1) for row in rows]
        for k in TOP_K:
            bounds = [bounds_from_top_k(row.topk(k, dim=1).values.numpy(), vocab_size) for row in logprobs]
            lower, upper = ([getattr(each, side).mean() for each in bounds] for side in ("lower", "upper"))
            widths = [high - low for low, high in zip(lower, upper, strict=True)]
            off = [abs((low + high) / 2 - true) for low, high, true in zip(lower, upper, truths, strict=True)]
            figures = (fmean(widths), quantiles(widths, n=20)[-1], max(widths), fmean(off))
            table.add_row(title if k == TOP_K[0] else "", str(k), *(f"{figure:.4f}" for figure in figures))
    Console(width=110).print(table)


if __name__ == "__main__":
    no_arguments(__doc__)
    main()
