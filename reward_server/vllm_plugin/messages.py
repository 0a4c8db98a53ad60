"""The messages of `/self_certainty`, version 1 of its protocol."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PROTOCOL = 1

TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(fail_fast=True)]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class Completion(_Message):
    """A completion, and which of its tokens are asked about."""

    token_ids: TokenIds
    span: Annotated[list[int], Field(min_length=2, max_length=2)]
    """Tokens [start, end) of the completion; empty where start = end."""


class Request(_Message):
    """Completions of one prompt."""

    prompt_token_ids: TokenIds
    """May be empty; then the first token of a completion has no distribution."""
    completions: Annotated[list[Completion], Field(min_length=1, max_length=16_384)]
    per_token: bool = False
    """Whether each token's numbers are wanted, beside their means."""


class ReloadRequest(_Message):
    """Other weights of the model that is served."""

    path: str
    """A folder with safetensors, which every worker sees."""
    revision: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")] | None = None
    """What to call them, in printable ASCII without spaces; a digest of the files otherwise."""


class PerToken(_Message):
    """Numbers of each token of the span, in nats, to seven digits."""

    logprob: list[float]
    entropy: list[float]
    kl_from_uniform: list[float | None]


class Result(_Message):
    """Means over a span's tokens, in nats; 0 for an empty span."""

    tokens: int
    kl_to_uniform: float
    kl_from_uniform: float | None
    """None where it is infinite."""
    logprob: float
    """Of the tokens themselves."""
    cached_tokens: int
    """How many tokens of prompt and completion did not have to be computed."""
    rescored: bool
    """Whether the cache had swallowed tokens of the span, so that all was computed again."""
    per_token: PerToken | None = None


class Response(_Message):
    """Results in the order of the request, all measured with the same weights."""

    model: str
    revision: str | None
    loaded_at: str
    vocab_size: int
    tokenizer: str
    """As in About."""
    results: list[Result]


class About(_Message):
    """What is served."""

    protocol: int
    plugin: str
    vllm: str
    model: str
    """The name it is served under."""
    path: str
    """Where vLLM has its configuration and first weights from."""
    revision: str | None
    """A commit, a digest of the files, or the name given to a reload; null where the Hub told no commit."""
    requested_revision: str | None
    """The branch, tag or commit that vLLM was started with; null for a folder, and after a reload."""
    loaded_at: str
    vocab_size: int
    max_model_len: int
    tokenizer: str
    """Digest of what `/self_certainty/tokenizer` answers."""
    prefix_caching: bool
    cache_cap: bool
    """Whether hits of the prefix cache are kept off the spans."""
