"""The model's tokenizer, for clients that have to know which tokens a text has."""

import hashlib
from typing import NamedTuple

from vllm.engine.protocol import EngineClient


class TokenizerFile(NamedTuple):
    """A `tokenizer.json`."""

    text: str
    digest: str


def tokenizer_file(engine: EngineClient) -> TokenizerFile:
    """The tokenizer that vLLM itself reads texts with. Raises RuntimeError for one that has no such form."""
    tokenizer = engine.renderer.get_tokenizer()
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise RuntimeError(f"{type(tokenizer).__name__} is no fast tokenizer: self-certainty needs a tokenizer.json")
    text = fast.to_str()
    return TokenizerFile(text, f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")
