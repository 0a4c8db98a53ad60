"""A GPU that has no room, has failed, or would round: the source `local` says so, and tells no number meanwhile."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import Qwen2Model

from reward_server.certainty.local import LocalSource
from reward_server.certainty.source import RationaleRequest, SourceError, SourceUnavailable
from tests.reward_server.certainty.local_support import CHEAP, PROMPT, measured


@pytest.fixture
def faulty(source: LocalSource, monkeypatch: pytest.MonkeyPatch) -> Callable[[RuntimeError], None]:
    """Makes the device fail with an error whenever a model computes on it."""

    def fail(error: RuntimeError) -> None:
        def forward(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(Qwen2Model, "forward", forward)

    return fail


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation.")


def test_a_gpu_without_room_is_a_wait_and_never_a_number(
    source: LocalSource, faulty: Callable[[RuntimeError], None], monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer
) -> None:
    request = RationaleRequest(CHEAP, PROMPT)
    expected = measured(source, request)
    faulty(OUT_OF_MEMORY)
    with pytest.raises(SourceUnavailable, match=r"no memory left .*Tried to allocate 2\.00 GiB\.$"):
        measured(source, request)
    asyncio.run(source.check())
    monkeypatch.undo()
    assert measured(source, request) == expected


def test_a_device_that_has_failed_is_not_well_until_it_computes_again(
    source: LocalSource, faulty: Callable[[RuntimeError], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = RationaleRequest(CHEAP, PROMPT)
    expected = measured(source, request)
    faulty(RuntimeError("CUDA error: device-side assert triggered\nSearch for it."))
    with pytest.raises(SourceError, match=r"failed to compute .*device-side assert triggered$") as caught:
        measured(source, request)
    assert not isinstance(caught.value, SourceUnavailable)
    with pytest.raises(SourceError, match="device-side assert"):
        asyncio.run(source.check())
    monkeypatch.undo()
    asyncio.run(source.check())
    assert measured(source, request) == expected


def test_a_model_too_large_for_the_gpu_is_refused_in_a_sentence(
    folders: dict[str, Path], source: LocalSource, faulty: Callable[[RuntimeError], None]
) -> None:
    faulty(OUT_OF_MEMORY)
    with pytest.raises(SourceError, match=r"REWARD_CERTAINTY_MODEL: the GPU has no room .* a smaller model"):
        LocalSource(str(folders["qwen2"]))


TF32 = """
import sys, torch
from reward_server.certainty.local import LocalSource
before = torch.get_float32_matmul_precision()
LocalSource(sys.argv[1])
print(before, torch.get_float32_matmul_precision())
"""


def test_products_keep_single_precision_where_the_environment_would_have_them_in_tf32(folders: dict[str, Path]) -> None:
    environment = {**os.environ, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    command = [sys.executable, "-c", TF32, str(folders["qwen2"])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["high", "highest"]
