"""What the tests of the source `vllm` share. One token per byte: a rationale's span begins at START."""

import asyncio
from typing import Any

import pytest

from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import (
    Certainty,
    Kind,
    RationaleRequest,
    SourceError,
)
from reward_server.certainty.vllm import VllmSource
from tests.reward_server.certainty.faulty_vllm import (
    FaultyVllm,
    tokenizer,
    told,
)

START = len('{"rationale": "')
LONG = 3_600.0
"""Patience that no test waits for."""


def saying_why(rationale: str) -> str:
    return f'{{"rationale": "{rationale}", "action": {{"type": "terminate"}}}}'


def request(rationale: str = "I like it.", prompt: str | None = "What next?", **fields: Any) -> RationaleRequest:
    return RationaleRequest(saying_why(rationale), prompt, **fields)


def expected(rationale: str) -> float:
    """What the server makes up for a rationale."""
    ids = tokenizer().encode(saying_why(rationale)).ids
    return told(ids, START, START + len(rationale.encode()))


def options(vllm: FaultyVllm, **more: Any) -> SourceOptions:
    return SourceOptions(url=vllm.url, **({"patience": LONG} | more))


def with_source(given: SourceOptions, work: Any) -> Any:
    """What `work(source)` comes to in an event loop of its own."""

    async def run() -> Any:
        source = VllmSource(given)
        try:
            return await work(source)
        finally:
            await source.close()

    return asyncio.run(run())


def measure(
    vllm: FaultyVllm, *requests: RationaleRequest, kind: Kind = "kl_to_uniform", **more: Any
) -> list[Certainty]:
    certainties: list[Certainty] = with_source(options(vllm, **more), lambda source: source.measure(requests, kind))
    return certainties


def failure(vllm: FaultyVllm, *requests: RationaleRequest, kind: Kind = "kl_to_uniform", **more: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        measure(vllm, *(requests or (request(),)), kind=kind, **more)
    return caught.value


def bytes_of(token_ids: list[int]) -> str:
    return tokenizer().decode(token_ids)
