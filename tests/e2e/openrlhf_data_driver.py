"""Load training rows as OpenRLHF does, with its own data sets, and say what a model would see and learn.

Run by the interpreter that has OpenRLHF. Standard input: {"kind", "file", "tokenizer", "max_len"}; standard output: a
JSON list, one object a row. The tokenizer is a `tokenizer.json` that is given Qwen's chat template.
"""

import json
import os
import sys
from types import SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = "1"

from openrlhf.datasets import PromptDataset, SFTDataset
from openrlhf.datasets.utils import blending_datasets
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def strategy(**data):
    """The part of a training run's settings that its data sets look at."""
    args = SimpleNamespace(data=SimpleNamespace(**data), use_ms=False)
    return SimpleNamespace(args=args, print=lambda *_: None, is_rank_0=lambda: False)


def main():
    job = json.load(sys.stdin)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=job["tokenizer"], eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML
    )
    if job["kind"] == "sft":
        settings = strategy(input_key="messages", output_key=None, apply_chat_template=True)
        rows = blending_datasets(job["file"], None, settings)
        learnt = SFTDataset(rows, tokenizer, job["max_len"], settings, num_processors=1, multiturn=True)
        found = [sft_row(learnt[index], tokenizer) for index in range(len(learnt))]
    else:
        settings = strategy(input_key="prompt", label_key="label", apply_chat_template=True)
        rows = blending_datasets(job["file"], None, settings)
        asked = PromptDataset(rows, tokenizer, settings)
        found = [rl_row(asked[index], tokenizer) for index in range(len(asked))]
    json.dump(found, sys.stdout)


def sft_row(item, tokenizer):
    ids, _, mask = item
    # The mask is over predictions: place i learns the token after it.
    learnt = [token for token, on in zip(ids[0][1:].tolist(), mask[0].tolist(), strict=False) if on]
    return {"tokens": ids.shape[1], "learnt": tokenizer.decode(learnt)}


def rl_row(item, tokenizer):
    _, prompt, label, _ = item
    return {"tokens": len(tokenizer(prompt, add_special_tokens=False)["input_ids"]), "prompt": prompt, "label": label}


if __name__ == "__main__":
    main()
