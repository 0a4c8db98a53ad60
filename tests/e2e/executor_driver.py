"""Drive our agent executor, on the real OpenRLHF underneath it, against a reward server, without training anything.

It runs as a subprocess of the training environment (`.venv-train`), set up by `SHOP_R1_…` as in a run. It reads

    {"groups": [[{"prompt": str, "label": str | dict, "completion": str}]], "top": [float], "corrects": bool,
     "tell_seconds": float}

as JSON on stdin, scores all at once, those of one group with the same sampling parameters, and writes one JSON list on
stdout, in the order of the cases: {"reward", "scores", "extra_logs"}, or {"error"}. The only stand-in is the engine: it
writes the case's completion, every token of it with the logprobs `top`.
"""

import asyncio
import contextlib
import json
import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

from transformers import AutoTokenizer

from reward_server.certainty.model_files import DEMO_MODEL
from trainer.openrlhf.agent import executor as agent

VOCABULARY = 768
MAX_LENGTH = 512


class Logprob(NamedTuple):
    """As vLLM's."""

    logprob: float
    rank: int


class Engine:
    """Stands in for `RolloutRayActor`."""

    def __init__(self, token_ids: list[int], top: list[float]) -> None:
        model = SimpleNamespace(get_vocab_size=lambda: VOCABULARY)
        self.llm = SimpleNamespace(model_config=model)
        self._token_ids = token_ids
        self._top = top

    async def generate(self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None) -> Any:
        # All of a group are asked for before the first is answered, as by `generate_responses`.
        await asyncio.sleep(0.05)
        row = {rank: Logprob(value, rank + 1) for rank, value in enumerate(self._top[: sampling_params.logprobs or 0])}
        logprobs = [row] * len(self._token_ids) if sampling_params.logprobs else None
        output = SimpleNamespace(token_ids=self._token_ids, finish_reason="stop", logprobs=logprobs)
        return SimpleNamespace(outputs=[output])


async def drive(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Score every case, all in flight at once."""
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    executor = agent.AgentExecutor()

    async def one(case: dict[str, Any], shared: Any) -> dict[str, Any]:
        chat = [{"role": "user", "content": case["prompt"]}]
        prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        engine = Engine(tokenizer(case["completion"], add_special_tokens=False)["input_ids"], document["top"])
        try:
            output = await executor.execute(prompt, case["label"], shared, MAX_LENGTH, tokenizer, engine)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {key: output[key] for key in ("reward", "scores", "extra_logs")}

    waiting = []
    for group in document["groups"]:
        shared = SimpleNamespace(max_tokens=80, logprobs=1 if document["corrects"] else None)
        waiting += [one(case, shared) for case in group]
    return await asyncio.gather(*waiting)


def main() -> None:
    """Read the cases, score them, write the results; what is logged goes to stderr."""
    document = json.load(sys.stdin)
    agent._TELL_SECONDS = document["tell_seconds"]
    with contextlib.redirect_stdout(sys.stderr):
        results = asyncio.run(drive(document))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
