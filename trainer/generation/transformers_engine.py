"""Completions by transformers' own `generate`: padded on the left, several rows at a time, with a KV cache."""

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.utils import logging

from trainer.generation.chat import Chat
from trainer.generation.engine import Engine, Prompt
from trainer.generation.errors import GenerationError
from trainer.generation.sampling import Sampling

_MOST_ROWS, _MOST_TOKENS = 64, 65_536
"""Of a batch, padding and completions included: bounds the memory that the cache takes."""
_REPEATABLE = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""Not cuDNN's attention: with one new token at a time, in bfloat16, no two calls of it round alike."""


class TransformersEngine(Engine):
    """bfloat16 on a GPU, float32 on the CPU. The same seed and file give the same completions on the same machine.

    Batches are made of rows that stand near one another in the file, so another `rows_at_once` draws others.
    """

    rows_at_once = 256

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self._device == "cuda" else torch.float32
        logging.disable_progress_bar()
        try:
            answer: Any = AutoModelForCausalLM.from_pretrained(chat.model, dtype=dtype, output_loading_info=True)
        except (OSError, ValueError) as error:
            raise GenerationError(f"{chat.model}: {' '.join(str(error).split())}") from None
        loaded, found = answer
        # transformers makes them up.
        if missing := sorted(found["missing_keys"]):
            reason = f"its files lack {len(missing)} of its weights, such as {missing[0]}"
            raise GenerationError(f"{chat.model}: {reason}")
        self._model: Any = loaded.to(self._device).eval()

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[list[int]]]:
        """Shortest prompts first, for a batch is as wide as its longest."""
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index].token_ids))
        answers: list[list[list[int]]] = [[] for _ in prompts]
        for start in range(0, sampling.drawn, _MOST_ROWS):
            part = sampling._replace(samples=min(sampling.drawn - start, _MOST_ROWS))
            for batch in _batches(order, prompts, part):
                found = self._batch([prompts[index] for index in batch], part, start)
                for index, completions in zip(batch, found, strict=True):
                    answers[index] += completions
        return answers

    def close(self) -> None:
        """Free the weights, and on a GPU what torch keeps for later."""
        self._model = None
        gc.collect()
        if self._device == "cuda":
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _batch(self, prompts: Sequence[Prompt], sampling: Sampling, start: int) -> list[list[list[int]]]:
        rows = [torch.tensor(prompt.token_ids) for prompt in prompts]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1, padding_side="left")
        ends = sorted(self._chat.ends)
        pad = self._chat.tokenizer.pad_token_id
        drawing = {} if sampling.greedy else {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        # The model's own settings, in which any penalty may hide, would fill whatever is left open here.
        self._model.generation_config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=not sampling.greedy,
            num_return_sequences=sampling.drawn,
            eos_token_id=ends or None,
            pad_token_id=pad if pad is not None else next(iter(ends), 0),
            use_cache=True,
            **drawing,
        )
        devices = [torch.cuda.current_device()] if self._device == "cuda" else []
        with torch.random.fork_rng(devices), sdpa_kernel(_REPEATABLE):
            torch.manual_seed(sampling.seed_of(prompts[0].line, start))
            written = self._model.generate(
                input_ids=ids.clamp(min=0).to(self._device), attention_mask=(ids >= 0).long().to(self._device)
            )
        completions = written[:, ids.shape[1] :].tolist()
        return [completions[start : start + sampling.drawn] for start in range(0, len(completions), sampling.drawn)]


def _batches(order: Sequence[int], prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[list[int]]:
    """The prompts' numbers in that order, as many at a time as there is room for; at least one."""
    batch: list[int] = []
    for index in order:
        wide = len(prompts[index].token_ids) + sampling.max_new_tokens
        rows = (len(batch) + 1) * sampling.drawn
        if batch and (rows > _MOST_ROWS or rows * wide > _MOST_TOKENS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
