"""Source `local`: a Hugging Face causal language model in this process. Exact, for laptops, tests and small models."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from textwrap import shorten
from typing import TYPE_CHECKING, NamedTuple, get_args

from tokenizers import Tokenizer

from reward_server.certainty.divergence import Floats
from reward_server.certainty.grouping import PromptGroup, group_by_prompt, in_order
from reward_server.certainty.model_files import ModelFiles, find_model
from reward_server.certainty.source import (
    Certainty,
    CertaintySource,
    EvidenceError,
    EvidenceFault,
    Kind,
    Model,
    RationaleRequest,
    SourceError,
    SourceUnavailable,
    TokensRead,
)
from reward_server.certainty.span import RationaleFinder

if TYPE_CHECKING:
    from reward_server.certainty.causal_model import CausalModel

_LONGEST_REASON = 300


class TokenCertainties(NamedTuple):
    """A text, token by token."""

    pieces: list[str]
    """What each token adds to the text; nothing for the second and further tokens of one character."""
    values: list[float | None]
    """Each token's certainty; None for the first of all, which nothing comes before."""
    start: int
    end: int
    """Which of them are averaged."""

    @property
    def counted(self) -> list[float]:
        """The certainties that are averaged."""
        return [value for value in self.values[self.start : self.end] if value is not None]

    @property
    def mean(self) -> float:
        """Their mean; 0 of none."""
        counted = self.counted
        return sum(counted) / len(counted) if counted else 0.0


class LocalSource(CertaintySource):
    """Exact certainties of all kinds, in float32. Measures in one thread of its own, so a waiting server still answers.

    `model` is a folder or a Hugging Face id, the built-in demo model without one; `revision` is an id's branch, tag or
    commit. Raises SourceError when the model cannot be loaded.
    """

    name = "local"
    kinds: frozenset[Kind] = frozenset(get_args(Kind))

    def __init__(self, model: str | None = None, revision: str | None = None) -> None:
        files = find_model(model, revision)
        self._language_model = _load(files)
        self._finder = RationaleFinder(_tokenizer(files, self._language_model), self._language_model.vocab_size)
        loaded_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._weights = Model(files.name, files.revision, loaded_at)
        # One thread, and its queue: forward passes take all cores each, and a caller who has left blocks nobody.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="certainty")
        self._read = TokensRead(0, 0)
        self._has_failed = False

    @property
    def model(self) -> Model:
        """The weights, by their commit, or the SHA-256 of their files."""
        return self._weights

    @property
    def tokens_read(self) -> TokensRead:
        """Each prompt computed once for all rationales of a batch that follow it."""
        return self._read

    @property
    def device(self) -> str:
        """What the model runs on: `cpu` or `cuda`."""
        return self._language_model.device

    @property
    def vocab_size(self) -> int:
        """V."""
        return self._language_model.vocab_size

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """One certainty per request, in order.

        Raises EvidenceError naming every request that cannot be measured, SourceUnavailable where a GPU has no memory
        left, and SourceError where the model computes no finite logits or its device has failed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._measure, requests, kind)

    async def check(self) -> None:
        """Raise SourceError where the device has failed and fails again: a GPU does so until the process ends."""
        if self._has_failed:
            await asyncio.get_running_loop().run_in_executor(self._worker, self._probe)

    async def close(self) -> None:
        """Drop what waits to be measured."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def by_token(self, text: str, prompt: str, kind: Kind, *, rationale: bool) -> TokenCertainties:
        """The certainty of each token of a text after a prompt, which may be empty; not to be used beside `measure`.

        Averaged are those of the rationale, for which the text has to be a valid completion, or else all. Raises
        EvidenceError for a text without tokens, or longer than the model reads, and SourceError.
        """
        encoding = self._finder.tokenizer.encode(text, add_special_tokens=False)
        token_ids = encoding.ids
        read = self._finder.encode(prompt) if prompt else []
        if not token_ids:
            raise EvidenceError([EvidenceFault(0, ("completion",), "the text has no tokens")])
        longest = self._language_model.longest
        if longest is not None and len(read) + len(token_ids) > longest:
            reason = (
                f"the prompt's {len(read)} tokens and the text's {len(token_ids)} are more than the {longest} "
                f"that the model reads"
            )
            raise EvidenceError([EvidenceFault(0, ("completion",), reason)])
        span = self._finder.in_text(text) if rationale else None
        first = 0 if read else 1
        measured = self._certainties(read, [(token_ids, first)], kind)[0].tolist()
        values = [None] * first + measured
        start, end = (span.start, span.end) if span else (first, len(token_ids))
        return TokenCertainties(_pieces(text, encoding.offsets), values, start, end)

    def _measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        groups = group_by_prompt(requests, self._finder, self._language_model.longest)
        return in_order(groups, [self._of_group(group, kind) for group in groups])

    def _of_group(self, group: PromptGroup, kind: Kind) -> list[Certainty]:
        spans = [(tokens.token_ids, tokens.start) for tokens, _ in group.measurements]
        values = self._certainties(group.prompt_token_ids, spans, kind)
        prompt = len(group.prompt_token_ids)
        computed = prompt + sum(max(len(token_ids) - 1, 0) for token_ids, _ in spans)
        self._read = TokensRead(self._read.computed + computed, self._read.cached + prompt * (len(spans) - 1))
        means = [float(of_tokens.mean()) if of_tokens.size else 0.0 for of_tokens in values]
        return [
            Certainty(mean, mean, mean, of_tokens.size, kind, self.name, *self._weights, prompt > 0)
            for mean, of_tokens in zip(means, values, strict=True)
        ]

    def _certainties(
        self, prompt: Sequence[int], spans: Sequence[tuple[Sequence[int], int]], kind: Kind
    ) -> list[Floats]:
        """For each (token ids, start), the certainties from its start on, the prompt read once for all."""
        from reward_server.certainty.causal_model import ModelError, OutOfMemory

        name = self._weights.name
        try:
            context = self._language_model.read(prompt)
            return [self._language_model.certainties(context, ids, start, kind) for ids, start in spans]
        except ModelError as error:
            raise SourceError(f"the certainty of {name!r} cannot be told: {error}") from None
        except OutOfMemory as error:
            longest = len(prompt) + max(len(ids) for ids, _ in spans)
            reason = f"the GPU has no memory left for {name!r} to read {longest} tokens: {_first_sentence(error)}"
            raise SourceUnavailable(reason) from None
        except RuntimeError as error:
            self._has_failed = True
            raise self._device_failed(error) from None

    def _device_failed(self, error: RuntimeError) -> SourceError:
        device = self._language_model.device
        return SourceError(f"{device} failed to compute {self._weights.name!r}: {_first_sentence(error)}")

    def _probe(self) -> None:
        try:
            self._language_model.probe()
        except RuntimeError as error:
            raise self._device_failed(error) from None
        self._has_failed = False


def _load(files: ModelFiles) -> "CausalModel":
    try:
        from reward_server.certainty.causal_model import CausalModel, OutOfMemory
    except ImportError as error:
        raise SourceError(
            f"REWARD_CERTAINTY: the source 'local' needs torch and transformers ({error}): "
            "pip install 'shop-r1[local]', or choose another source"
        ) from None
    try:
        return CausalModel(files.weights, files.commit)
    except OutOfMemory as error:
        raise SourceError(
            f"REWARD_CERTAINTY_MODEL: the GPU has no room for {files.name!r} in float32: {_first_sentence(error)}; "
            "choose a smaller model, or hide the GPU by CUDA_VISIBLE_DEVICES="
        ) from None
    # Whatever a file can be wrong about: transformers and safetensors have no common error.
    except Exception as error:
        reason = shorten(str(error), _LONGEST_REASON, placeholder=" …")
        raise SourceError(
            f"REWARD_CERTAINTY_MODEL: {files.name!r} cannot be loaded: {reason}; "
            "give a causal language model with its weights in safetensors"
        ) from error


def _first_sentence(error: RuntimeError) -> str:
    """What torch says first; the rest is advice on its settings."""
    return shorten(str(error).strip().splitlines()[0], _LONGEST_REASON, placeholder=" …")


def _tokenizer(files: ModelFiles, model: "CausalModel") -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
    # The Rust library raises no narrower one.
    except Exception as error:
        raise SourceError(f"REWARD_CERTAINTY_MODEL: {files.tokenizer} is no tokenizer: {error}") from None
    highest = max(tokenizer.get_vocab().values(), default=0)
    if highest >= model.vocab_size:
        raise SourceError(
            f"REWARD_CERTAINTY_MODEL: the tokenizer of {files.name!r} has ids up to {highest}, but the model has "
            f"{model.vocab_size} tokens: they do not belong together"
        )
    return tokenizer


def _pieces(text: str, offsets: Sequence[tuple[int, int]]) -> list[str]:
    """The text cut where its tokens end; what no token has comes before the next one, or after the last."""
    ends = [end for _, end in offsets]
    ends[-1] = len(text)
    pieces = []
    position = 0
    for end in ends:
        pieces.append(text[position : max(position, end)])
        position = max(position, end)
    return pieces
