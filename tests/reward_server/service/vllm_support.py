"""What the tests share of a server whose certainties come from a vLLM: a stand-in with faults on demand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.reward_server.certainty.faulty_vllm import (
    FaultyVllm,
    tokenizer,
    told,
)
from tests.reward_server.service.support import (
    TERMINATE,
    rollout,
    said,
)
from tests.servers import Server, running_server

PROMPT = "What next?"
ALPHA = 0.005
START = len('{"rationale": "')
SURE = {"vocab_size": 4, "top_logprobs": [[0.0]]}


def value_of(completion: str) -> float:
    """What the stand-in makes up for a completion with the rationale of `said`."""
    return told(tokenizer().encode(completion).ids, START, START + len("I like it."))


VALUE = value_of(said(TERMINATE))


@contextmanager
def scoring_with(vllm: FaultyVllm | str, *flags: str, **environment: str) -> Iterator[Server]:
    url = vllm if isinstance(vllm, str) else vllm.url
    with running_server("--certainty", "vllm", "--vllm-url", url, *flags, **environment) as server:
        yield server


def is_ready(server: Server) -> bool:
    return server.get("/readyz").status_code == 200


def prompted(**fields: Any) -> dict[str, Any]:
    """A rollout with a prompt, unless the fields have another."""
    return rollout(**{"prompt": PROMPT, **fields})
