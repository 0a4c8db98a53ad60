"""Source `vllm-logprobs`: bounds of KL(p‖U) from the top-k logprobs that any vLLM tells of a prompt's tokens.

Dear: `prompt_logprobs` does not use the prefix cache, so each rollout has its whole prompt read again, and comes back
with k log-probabilities for each token of it. Any vLLM will do, and no plugin is needed.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, ValidationError
from tokenizers import Tokenizer

from reward_server.certainty.connection import ConnectedSource, together
from reward_server.certainty.divergence import LogprobsError, bounds_from_top_k
from reward_server.certainty.grouping import Measurement, PromptGroup, group_by_prompt, in_order
from reward_server.certainty.model_files import find_model
from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import (
    Certainty,
    Kind,
    Model,
    RationaleRequest,
    SourceError,
    SourceMismatch,
    TokensRead,
)
from reward_server.certainty.span import RationaleFinder
from reward_server.patience import Patience, Transient

_TOLD_APART = """\n{"rationale": "I'd rather compare: it's café-style, £12,345.67 (北京 😀); \\"XL\\" in blue.",
\t"action": {"type": "type_and_submit", "name": "search_input", "text": "wireless gaming mouse under 30 dollars"}}"""
"""The ids of its tokens are other texts in another vocabulary."""
_BYTES_PER_LOGPROB = 256
_BYTES_BESIDES = 2**20


class _Card(BaseModel):
    """A served model."""

    id: str
    root: str | None = None
    """What it was loaded from."""
    max_model_len: int | None = None


class _Models(BaseModel):
    """`GET /v1/models`."""

    data: list[_Card]


class _Text(BaseModel):
    """`POST /detokenize`."""

    prompt: str


class _Logprob(BaseModel):
    logprob: FiniteFloat


class _Choice(BaseModel):
    prompt_logprobs: list[Any]
    """By token, a row: the k likeliest ids, and the token's own if it is not among them; None for the first of all."""


class _Completion(BaseModel):
    """`POST /v1/completions`."""

    choices: Annotated[list[_Choice], Field(min_length=1)]


_ROW = TypeAdapter(dict[str, _Logprob])
"""Only the rationale's rows are looked at so closely: there are many others."""


class _Files(NamedTuple):
    """What has to be known of a model whose server tells nothing but logprobs."""

    tokenizer: Tokenizer
    vocab_size: int
    longest: int | None
    revision: str | None


class VllmLogprobsSource(ConnectedSource):
    """Bounds of KL(p‖U), and their midpoint as the value. KL(U‖p) has no finite upper bound from top-k logprobs."""

    name = "vllm-logprobs"
    kinds: frozenset[Kind] = frozenset({"kl_to_uniform", "kl_to_uniform_over_vocab"})

    def __init__(self, options: SourceOptions) -> None:
        """Connects to nothing yet. Raises SourceError without a model, or for one whose files cannot be had."""
        if options.model is None:
            raise SourceError(
                "REWARD_CERTAINTY_MODEL: the source vllm-logprobs needs the Hugging Face id or the folder of the model "
                "that vLLM serves, for its tokenizer"
            )
        files = _model_files(options.model, options.revision)
        super().__init__(options)
        self._finder = RationaleFinder(files.tokenizer, files.vocab_size)
        self._ids = files.tokenizer.encode(_TOLD_APART, add_special_tokens=False).ids
        self._text = files.tokenizer.decode(self._ids, skip_special_tokens=False)
        self._longest = files.longest
        self._model = Model(options.model, files.revision)
        self._top_k = min(options.top_k, files.vocab_size)
        self._read = TokensRead(0, 0)

    @property
    def model(self) -> Model:
        """As it was set: a stock vLLM does not tell the revision it has."""
        return self._model

    @property
    def tokens_read(self) -> TokensRead:
        """None of them from the cache."""
        return self._read

    async def _measure(self, requests: Sequence[RationaleRequest], kind: Kind, patience: Patience) -> list[Certainty]:
        card = await self._served(patience)
        # One more token has to be generated, which nobody reads.
        longest = self._longest if card.max_model_len is None else card.max_model_len - 1
        groups = await asyncio.to_thread(group_by_prompt, requests, self._finder, longest)
        each = [(group, measurement) for group in groups for measurement in group.measurements]
        found = iter(
            await together(self._measure_one(card, group, measurement, kind, patience) for group, measurement in each)
        )
        if await self._served(patience) != card:
            raise Transient("the model changed in the middle of a batch")
        return in_order(groups, [[next(found) for _ in group.measurements] for group in groups])

    async def _served(self, patience: Patience) -> _Card:
        async with self._connection.slots:
            return await self._connection.learn(patience, self._look)

    async def _look(self) -> _Card:
        """The card of our model. Raises SourceMismatch where it is not served, or with another tokenizer."""
        cards = self._connection.read(await self._connection.ask("GET", "/v1/models"), _Models).data
        for card in cards:
            if self._model.name in (card.id, card.root):
                await self._check_tokenizer(card)
                return card
        served = ", ".join(f"{card.id!r} (from {card.root!r})" for card in cards) or "no model"
        raise SourceMismatch(
            f"{self._connection.name} serves {served}, and REWARD_CERTAINTY_MODEL wants {self._model.name!r}"
        )

    async def _check_tokenizer(self, card: _Card) -> None:
        # How vLLM would cut a text into tokens does not matter, for it is sent ids; what it takes them for does.
        message = {"model": card.id, "tokens": self._ids}
        text = self._connection.read(await self._connection.ask("POST", "/detokenize", message), _Text).prompt
        if text != self._text:
            raise SourceMismatch(
                f"{self._connection.name} has another tokenizer than {self._model.name!r} (REWARD_CERTAINTY_MODEL): "
                f"tokens that spell {self._text[:40]!r} here spell {text[:40]!r} there"
            )

    async def _measure_one(
        self, card: _Card, group: PromptGroup, measurement: Measurement, kind: Kind, patience: Patience
    ) -> Certainty:
        tokens = measurement.tokens
        context = bool(group.prompt_token_ids)
        if tokens.start == tokens.end:
            return Certainty(0.0, 0.0, 0.0, 0, kind, self.name, *self._model, context=context)
        token_ids = [*group.prompt_token_ids, *tokens.token_ids]
        rows = await self._connection.measure(patience, lambda: self._prompt_logprobs(card, token_ids))
        computed, cached = self._read
        self._read = TokensRead(computed + len(token_ids), cached)
        first = len(group.prompt_token_ids) + tokens.start
        logprobs = np.array([self._top(rows[place], token_ids[place]) for place in range(first, len(token_ids))])
        try:
            bounds = bounds_from_top_k(logprobs, self._finder.vocab_size)
        except LogprobsError as error:
            raise self._connection.nonsense(
                f"its log-probabilities are those of no distribution over {self._finder.vocab_size} tokens: {error}"
            ) from None
        scale = self._finder.vocab_size if kind == "kl_to_uniform_over_vocab" else 1
        lower, upper = float(bounds.lower.mean()) / scale, float(bounds.upper.mean()) / scale
        value = (lower + upper) / 2
        return Certainty(value, lower, upper, len(logprobs), kind, self.name, *self._model, context=context)

    async def _prompt_logprobs(self, card: _Card, token_ids: list[int]) -> list[Any]:
        message = {
            "model": card.id,
            "prompt": token_ids,
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": self._top_k,
        }
        most = _BYTES_BESIDES + len(token_ids) * (self._top_k + 1) * _BYTES_PER_LOGPROB
        answer = await self._connection.ask("POST", "/v1/completions", message, most)
        if answer.status == HTTPStatus.BAD_REQUEST and "logprobs" in answer.reason:
            raise SourceError(
                f"{self._connection.name} does not tell {self._top_k} log-probabilities per token: start it with "
                f"--max-logprobs {self._top_k}, or lower REWARD_VLLM_TOP_K; it says: {answer.reason}"
            )
        if answer.status == HTTPStatus.NOT_FOUND:
            raise SourceMismatch(
                f"{self._connection.name} generates nothing: if it has our plugin, choose the certainty source vllm"
            )
        rows = self._connection.read(answer, _Completion).choices[0].prompt_logprobs
        if len(rows) != len(token_ids):
            raise self._connection.nonsense(f"{len(rows)} rows of log-probabilities for {len(token_ids)} tokens")
        return rows

    def _top(self, row: object, token_id: int) -> list[float]:
        """The k largest log-probabilities in the row of a token."""
        try:
            entries = _ROW.validate_python(row)
        except ValidationError as error:
            raise self._connection.nonsense(f"a row of log-probabilities: {error.errors()[0]['msg']}") from None
        if str(token_id) not in entries or len(entries) < self._top_k:
            raise self._connection.nonsense(f"a row without its own token, or without the {self._top_k} likeliest")
        return sorted((entry.logprob for entry in entries.values()), reverse=True)[: self._top_k]


def _model_files(model: str, revision: str | None) -> _Files:
    """A model's tokenizer and measures, from its folder or from Hugging Face. Raises SourceError."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        files = find_model(model, revision)
        folder, revision = files.tokenizer.parent, revision or files.commit
        _download_config(model, files.commit)
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises nothing narrower
        raise SourceError(
            f"REWARD_CERTAINTY_MODEL: {model!r} has no tokenizer.json that can be read: {error}"
        ) from None
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = config.get("text_config") or config
        longest = text.get("max_position_embeddings")
        return _Files(tokenizer, int(text["vocab_size"]), longest and int(longest), revision)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError(
            f"REWARD_CERTAINTY_MODEL: {model!r} has no config.json with a vocab_size: {type(error).__name__} {error}"
        ) from None


def _download_config(model: str, commit: str | None) -> None:
    """Put config.json beside the tokenizer that has been downloaded. Where there is none, reading it will say so."""
    from huggingface_hub import errors, hf_hub_download

    with suppress(errors.EntryNotFoundError, OSError):
        hf_hub_download(model, "config.json", revision=commit)
