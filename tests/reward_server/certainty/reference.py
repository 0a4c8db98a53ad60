"""Certainties as a textbook would compute them: one pass over the whole text, in double precision."""

from collections.abc import Sequence
from math import log
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from reward_server.certainty.source import Kind


def by_the_book(folder: Path, before: Sequence[int], token_ids: Sequence[int], kind: Kind) -> list[float]:
    """The certainty of every token but the first of all, from one pass over the whole text in double precision.

    KL(p‖U) = Σ p ln(p·V) and KL(U‖p) = −(1/V) Σ ln(p·V).
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")
    with torch.no_grad():
        logits = model(torch.tensor([[*before, *token_ids]])).logits[0, max(len(before) - 1, 0) : -1]
    times_v = logits.log_softmax(-1) + log(logits.shape[1])
    if kind == "kl_from_uniform":
        return list((-times_v).mean(-1).tolist())
    to_uniform = (times_v.exp() / logits.shape[1] * times_v).sum(-1)
    return list((to_uniform / (logits.shape[1] if kind == "kl_to_uniform_over_vocab" else 1)).tolist())


def of_the_rationale(folder: Path, prompt: str, completion: str, kind: Kind = "kl_to_uniform") -> tuple[float, int]:
    """The mean certainty of an ASCII rationale, and its number of tokens."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoding = tokenizer.encode(completion)
    before = tokenizer.encode(prompt).ids
    start = completion.index('": "') + 4
    end = completion.index('", "action"')
    inside = [index for index, (low, high) in enumerate(encoding.offsets) if low < end and high > start]
    values = by_the_book(folder, before, encoding.ids, kind)
    shift = 0 if before else 1
    return sum(values[index - shift] for index in inside) / len(inside), len(inside)
