"""Drive OpenRLHF's own, unedited `SingleTurnAgentExecutor` against a reward server, without a GPU or a model.

It runs as a subprocess of the training environment (`.venv-train`). It reads one JSON document on stdin,

    {"url": str, "cases": [{"prompt": str | [message], "label": str | dict, "completion": str,
                            "max_length": int | null, "max_tokens": int | null, "normalizer": "NFC"?}]}

scores all cases at once, and writes one JSON list on stdout, in the same order: for each case {"reward", "scores",
"extra_logs", "query"} (`query` is the decoded observation), or {"error"} if the executor raised. A reward that it could
not fetch is null, as in OpenRLHF, and stderr says why. The tokenizer is a real one, trained here. The only stand-in is
the engine, which plays the policy: it answers with the case's completion, whatever its budget.
"""

import asyncio
import contextlib
import functools
import json
import sys
from types import SimpleNamespace
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

MAX_LENGTH = 2048  # the default of OpenRLHF's --data.max_len
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Qwen2.5's, without the branch for tools.
CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' %}{{- '<|im_start|>system\n"
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
CORPUS = (
    "You are an online shopper. Predict the next action as JSON with the keys rationale and action.",
    '{"rationale": "The price is fine.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}',
    '{"rationale": "I look for shoes.", "action": {"type": "type_and_submit", "name": "search", "text": "shoes"}}',
    '<html><body><button name="add_to_cart.buy_now">Buy now</button><input name="search"></body></html>',
)


@functools.cache
def trained() -> str:
    """Train the byte-level BPE once; every text round-trips through it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return str(tokenizer.to_str())


@functools.cache
def build_tokenizer(normalizer: str | None = None) -> PreTrainedTokenizerFast:
    """Wrap it for transformers; with a normalizer (Qwen2.5 has NFC), a prompt may come back as another text."""
    backend = Tokenizer.from_str(trained())
    if normalizer is not None:
        backend.normalizer = getattr(normalizers, normalizer)()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


class Engine:
    """Stands in for `RolloutRayActor`: generates the case's completion, as the token ids a model would have sampled."""

    def __init__(self, completion: str) -> None:
        self.token_ids: list[int] = build_tokenizer()(completion, add_special_tokens=False)["input_ids"]

    async def generate(
        self, prompt_token_ids: list[int], sampling_params: SimpleNamespace, multi_modal_data: object = None
    ) -> SimpleNamespace:
        output = SimpleNamespace(token_ids=self.token_ids, finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


async def drive(url: str, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Score every case as OpenRLHF would, all in flight at once."""
    from openrlhf.utils.agent import SingleTurnAgentExecutor  # here, so that it logs to main's stderr

    executor = SingleTurnAgentExecutor(url.split(","))  # as train_ppo_ray.py splits --reward.remote_url

    async def one(case: dict[str, Any]) -> dict[str, Any]:
        tokenizer = build_tokenizer(case.get("normalizer"))
        prompt = case["prompt"]
        if not isinstance(prompt, str):  # as --data.apply_chat_template does
            prompt = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
        params = SimpleNamespace(max_tokens=case.get("max_tokens"), logprobs=None)
        max_length = case.get("max_length") or MAX_LENGTH
        engine = Engine(case["completion"])
        try:
            output = await executor.execute(prompt, case["label"], params, max_length, tokenizer, engine)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
        query = tokenizer.decode(output["observation_tokens"], skip_special_tokens=False)
        return {**{key: output[key] for key in ("reward", "scores", "extra_logs")}, "query": query}

    return await asyncio.gather(*(one(case) for case in cases))


def main() -> None:
    """Read the cases, score them, write the results; OpenRLHF logs to stdout, so that goes to stderr meanwhile."""
    document = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        results = asyncio.run(drive(document["url"], document["cases"]))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
