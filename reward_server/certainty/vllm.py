"""Source `vllm`: exact certainties from a vLLM with our plugin, which reads each prompt once per group.

The plugin speaks token ids, so its tokenizer is fetched once and used here. Every answer says with which weights it was
measured; a batch that more than one version of them had a part in is measured again.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from math import inf, isfinite, log
from typing import Annotated, NamedTuple, get_args

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from reward_server import __version__
from reward_server.certainty.connection import Answer, ConnectedSource, together
from reward_server.certainty.grouping import Measurement, PromptGroup, group_by_prompt, in_order
from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import (
    Certainty,
    EvidenceError,
    EvidenceFault,
    Kind,
    Model,
    RationaleRequest,
    SourceError,
    SourceMismatch,
    TokensRead,
)
from reward_server.certainty.span import RationaleFinder
from reward_server.patience import Patience, Transient

PATH = "/self_certainty"
PROTOCOL = 1
"""The version of the plugin's messages that are understood here."""

_POINTER = re.compile(r"/(?:prompt_token_ids|completions/(?P<index>\d{1,9}))(?:/.*)?")
_ABOVE_MOST = 1e-3
"""How far over ln V float32 arithmetic may end up."""
_BYTES_PER_RESULT = 1_024
_BYTES_BESIDES = 2**16

_log = logging.getLogger(__name__)


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    return text


class _Weights(BaseModel):
    """What every message of the plugin says of the weights."""

    model_config = ConfigDict(strict=True)

    model: str
    revision: str | None
    loaded_at: Annotated[str, AfterValidator(_moment)]
    vocab_size: Annotated[int, Field(ge=2)]
    tokenizer: str
    """Digest of its tokenizer.json."""

    @property
    def version(self) -> str:
        """What is the same in every process that serves these weights."""
        # Only a revision is the same in all processes; without one, two of them cannot be told from two versions.
        since = "" if self.revision else f" since {self.loaded_at}"
        vocabulary = f"{self.vocab_size} tokens, tokenizer {self.tokenizer!r}"
        return f"revision {self.revision!r} of {self.model!r} ({vocabulary}){since}"

    def as_model(self) -> Model:
        return Model(self.model, self.revision, self.loaded_at)


class _Spoken(BaseModel):
    """What `GET /self_certainty` answers in every version of the protocol."""

    protocol: int
    plugin: str


class _About(_Weights):
    """`GET /self_certainty`."""

    path: str
    requested_revision: str | None = None
    max_model_len: Annotated[int, Field(ge=1)]


class _Result(BaseModel):
    """Means over a span's tokens, in nats."""

    model_config = ConfigDict(strict=True)

    tokens: int
    kl_to_uniform: float
    kl_from_uniform: float | None
    cached_tokens: Annotated[int, Field(ge=0)]


class _Measured(_Weights):
    """`POST /self_certainty`."""

    results: list[_Result]


class _Reader(NamedTuple):
    """What reads texts as the model does."""

    finder: RationaleFinder
    digest: str
    """Of its tokenizer."""


class VllmSource(ConnectedSource):
    """Exact, of every kind."""

    name = "vllm"
    kinds: frozenset[Kind] = frozenset(get_args(Kind))

    def __init__(self, options: SourceOptions) -> None:
        """Connects to nothing yet. Raises SourceError for a URL or a key that cannot be used."""
        super().__init__(options)
        self._wanted = options.model, options.revision
        self._about: _About | None = None
        self._reader: _Reader | None = None
        self._seen: _About | None = None
        self._model: Model | None = None
        self._read = TokensRead(0, 0)

    @property
    def model(self) -> Model | None:
        """The weights that the plugin last said it has."""
        return self._model

    @property
    def tokens_read(self) -> TokensRead:
        """As the plugin counts them."""
        return self._read

    async def _measure(self, requests: Sequence[RationaleRequest], kind: Kind, patience: Patience) -> list[Certainty]:
        about, finder = await self._get_to_know(patience)
        groups = await asyncio.to_thread(group_by_prompt, requests, finder, about.max_model_len)
        answers = await together(self._measure_group(group, requests, about, patience) for group in groups)
        self._model = answers[-1].as_model()
        certainties = []
        for group, answer in zip(groups, answers, strict=True):
            measured = zip(group.measurements, answer.results, strict=True)
            certainties.append([self._certainty(group, item, result, answer, kind) for item, result in measured])
        return in_order(groups, certainties)

    async def _get_to_know(self, patience: Patience) -> tuple[_About, RationaleFinder]:
        """What the plugin serves, and what its tokenizer finds; asked for once, whoever else waits for it."""
        async with self._connection.first:
            return await self._connection.learn(patience, self._learn)

    async def _learn(self) -> tuple[_About, RationaleFinder]:
        about = self._about or await self._look()
        reader = self._reader
        if reader is None or (reader.digest, reader.finder.vocab_size) != (about.tokenizer, about.vocab_size):
            self._reader = reader = await self._get_reader(about)
        return about, reader.finder

    async def _look(self) -> _About:
        """What the plugin serves now. Raises SourceMismatch for what it should not."""
        answer = await self._connection.ask("GET", PATH)
        self._about = None
        if answer.status == HTTPStatus.NOT_FOUND:
            raise SourceMismatch(
                f"{self._connection.name} is a vLLM without our plugin: start it by "
                "`python -m reward_server.vllm_plugin MODEL`, or choose the certainty source vllm-logprobs"
            )
        spoken = self._connection.read(answer, _Spoken)
        if spoken.protocol != PROTOCOL:
            raise SourceMismatch(
                f"{self._connection.name} has plugin {spoken.plugin}, whose protocol is version {spoken.protocol}, and "
                f"this server, {__version__}, speaks version {PROTOCOL}: install the same shop-r1 there and here"
            )
        about = self._connection.read(answer, _About)
        model, revision = self._wanted
        serves = f"{self._connection.name} serves {about.model!r} (from {about.path!r}) at revision {about.revision!r}"
        if model not in (None, about.model, about.path):
            raise SourceMismatch(f"{serves}, and REWARD_CERTAINTY_MODEL wants {model!r}")
        if revision not in (None, about.revision, about.requested_revision):
            raise SourceMismatch(f"{serves}, and REWARD_CERTAINTY_REVISION wants {revision!r}")
        self._check_tokenizer(about)
        self._about, self._model = about, about.as_model()
        return about

    def _check_tokenizer(self, about: _About) -> None:
        """Raise SourceMismatch where the revision that was asked for has another tokenizer than it had."""
        before, self._seen = self._seen, about
        if before is None or before.tokenizer == about.tokenizer:
            return
        changed = f"the tokenizer of {self._connection.name} was {before.tokenizer} and is {about.tokenizer}"
        if self._wanted[1] is not None and before.revision == about.revision:
            self._seen = before
            raise SourceMismatch(
                f"{changed}, both at revision {about.revision!r}, which REWARD_CERTAINTY_REVISION wants"
            )
        _log.warning("%s; texts are read with the new one from now on", changed)

    async def _get_reader(self, about: _About) -> _Reader:
        answer = await self._connection.ask("GET", f"{PATH}/tokenizer")
        if answer.status != HTTPStatus.OK:
            raise self._connection.refusal(answer)
        if f"sha256:{hashlib.sha256(answer.content).hexdigest()}" != about.tokenizer:
            self._about = None
            raise Transient("its tokenizer is not the one it told of, or did not come whole")
        try:
            tokenizer = await asyncio.to_thread(Tokenizer.from_str, answer.content.decode())
        except Exception as error:  # the library raises nothing narrower
            raise self._connection.nonsense(f"its tokenizer cannot be read: {error}") from None
        return _Reader(RationaleFinder(tokenizer, about.vocab_size), about.tokenizer)

    async def _measure_group(
        self, group: PromptGroup, requests: Sequence[RationaleRequest], about: _About, patience: Patience
    ) -> _Measured:
        """The plugin's answer for one prompt. Raises Transient when other weights gave it than `about` tells of."""
        completions = [
            {"token_ids": tokens.token_ids, "span": [tokens.start, tokens.end]} for tokens, _ in group.measurements
        ]
        message = {"prompt_token_ids": group.prompt_token_ids, "completions": completions}

        most = _BYTES_BESIDES + len(completions) * _BYTES_PER_RESULT

        async def post() -> _Measured | Answer:
            answer = await self._connection.ask("POST", PATH, message, most)
            refused = answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
            return answer if refused else self._connection.read(answer, _Measured)

        measured = await self._connection.measure(patience, post)
        if isinstance(measured, Answer):
            # Another model may have another vocabulary, which is no fault of the request's.
            async with self._connection.first:
                self._check_unchanged(about, await self._connection.learn(patience, self._look))
            raise _evidence_error(measured, group, requests) or self._connection.refusal(measured)
        self._check_unchanged(about, measured)
        if len(measured.results) != len(completions):
            raise self._connection.nonsense(f"{len(measured.results)} results for {len(completions)} completions")
        self._count(group, measured.results)
        return measured

    def _check_unchanged(self, about: _About, now: _Weights) -> None:
        if now.version != about.version:
            self._about = None
            raise Transient(f"its weights changed in the middle of a batch, from {about.version} to {now.version}")

    def _count(self, group: PromptGroup, results: Sequence[_Result]) -> None:
        computed, cached = self._read
        for (tokens, _), result in zip(group.measurements, results, strict=True):
            read = len(group.prompt_token_ids) + tokens.end
            from_cache = min(result.cached_tokens, read)
            computed, cached = computed + read - from_cache, cached + from_cache
        self._read = TokensRead(computed, cached)

    def _certainty(
        self, group: PromptGroup, measurement: Measurement, result: _Result, weights: _Weights, kind: Kind
    ) -> Certainty:
        tokens = measurement.tokens.end - measurement.tokens.start
        if result.tokens != tokens:
            raise self._connection.nonsense(f"{result.tokens} tokens measured of a rationale that has {tokens}")
        value = self._value(result, weights.vocab_size, kind)
        return Certainty(
            value, value, value, tokens, kind, self.name, *weights.as_model(), context=bool(group.prompt_token_ids)
        )

    def _value(self, result: _Result, vocab_size: int, kind: Kind) -> float:
        if kind == "kl_from_uniform":
            if result.kl_from_uniform is None:
                raise SourceError(
                    "KL(U‖p) of a rationale is infinite: its model rules some token out altogether; "
                    "score with a spec whose kind is kl_to_uniform"
                )
            value, most = result.kl_from_uniform, inf
        else:
            value, most = result.kl_to_uniform, log(vocab_size) + _ABOVE_MOST
        if not (isfinite(value) and 0 <= value <= most):
            raise self._connection.nonsense(f"{value} nats is no {kind} over {vocab_size} tokens")
        return value / vocab_size if kind == "kl_to_uniform_over_vocab" else value


def _evidence_error(answer: Answer, group: PromptGroup, requests: Sequence[RationaleRequest]) -> EvidenceError | None:
    """The refusal of a prompt or a completion, as one of the requests that have it; None for one of neither."""
    try:
        error = orjson.loads(answer.content)["error"]
        field = _POINTER.fullmatch(error["pointer"])
    except (ValueError, LookupError, TypeError):
        return None
    if field is None or int(field["index"] or 0) >= len(group.measurements):
        return None
    if field["index"] is None:
        at_fault = [index for _, indexes in group.measurements for index in indexes]
        paths = ["prompt_token_ids" if requests[index].prompt_token_ids else "prompt" for index in at_fault]
    else:
        at_fault = group.measurements[int(field["index"])].indexes
        paths = [
            "completion" if requests[index].completion_token_ids is None else "completion_token_ids"
            for index in at_fault
        ]
    faults = [EvidenceFault(index, (path,), answer.reason) for index, path in zip(at_fault, paths, strict=True)]
    return EvidenceError(sorted(faults, key=lambda fault: fault.index))
