"""Completions by vLLM, offline: its engine runs in a process of its own, which ends with it."""

import gc
import os
from collections.abc import Sequence
from typing import Any

from trainer.generation.chat import Chat
from trainer.generation.engine import Engine, Prompt
from trainer.generation.errors import GenerationError
from trainer.generation.sampling import Sampling

_QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_LOGGING_STREAM": "ext://sys.stderr", "VLLM_NO_USAGE_STATS": "1"}
"""Standard output is for the figures."""
_ON_CPU = {"VLLM_CPU_KVCACHE_SPACE": "4", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0"}
"""GiB of cache, where vLLM would take a share of all memory; and no core kept from it."""


class VLLMEngine(Engine):
    """bfloat16 on GPUs, float32 on the CPU. Each row has a seed of its own, so a row draws alike in any company.

    That is up to rounding: which rows share a batch changes last bits of the logits, most of all in bfloat16, and a
    token may tip where two are all but equally likely.
    """

    rows_at_once = 512

    def __init__(self, chat: Chat, longest: int) -> None:
        for name, value in {**_QUIET, **_ON_CPU}.items():
            os.environ.setdefault(name, value)
        from vllm import LLM
        from vllm.platforms import current_platform

        self._chat = chat
        on_cpu = current_platform.is_cpu()
        try:
            self._llm: Any = LLM(
                model=chat.model,
                dtype="float32" if on_cpu else "bfloat16",
                max_model_len=longest,
                enforce_eager=on_cpu,
                disable_log_stats=True,
                use_tqdm_on_load=False,
            )
        # What fails in its process comes back as a RuntimeError, what it refuses as a ValueError.
        except (OSError, ValueError, RuntimeError) as error:
            raise GenerationError(f"{chat.model}: vLLM cannot load it: {' '.join(str(error).split())}") from None

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[list[int]]]:
        """All at once; vLLM batches them itself."""
        from vllm import SamplingParams, TokensPrompt

        params = [
            SamplingParams(
                n=sampling.drawn,
                temperature=sampling.temperature,
                max_tokens=sampling.max_new_tokens,
                seed=None if sampling.greedy else sampling.seed_of(prompt.line),
                stop_token_ids=sorted(self._chat.ends),
                detokenize=False,
            )
            for prompt in prompts
        ]
        asked = [TokensPrompt(prompt_token_ids=list(prompt.token_ids)) for prompt in prompts]
        answers = self._llm.generate(asked, params, use_tqdm=False)
        return [[list(each.token_ids) for each in sorted(a.outputs, key=lambda o: o.index)] for a in answers]

    def close(self) -> None:
        """End vLLM's process, and with it all memory it has on any device."""
        self._llm.llm_engine.engine_core.shutdown()
        self._llm = None
        gc.collect()
