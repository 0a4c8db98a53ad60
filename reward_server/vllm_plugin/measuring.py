"""Asks the engine for self-certainties, and changes its weights: all that `/self_certainty` does, without HTTP.

Every row that comes back carries its position. Rows that are missing, because the prefix cache had them, are noticed
here, and all of the request is computed anew without the cache. Nothing is returned that has not passed this check.
"""

import asyncio
import uuid
from math import isfinite, log
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from vllm import __version__ as vllm_version
from vllm.engine.protocol import EngineClient
from vllm.inputs import TokensPrompt

from reward_server import __version__
from reward_server.vllm_plugin import cache_cap, messages
from reward_server.vllm_plugin.architectures import SUFFIX
from reward_server.vllm_plugin.gate import Gate
from reward_server.vllm_plugin.pooler import POSITION
from reward_server.vllm_plugin.spans import pooling_params
from reward_server.vllm_plugin.tokenizer import TokenizerFile, tokenizer_file
from reward_server.vllm_plugin.weights import FolderError, Tensors, Weights, check_folder, commit, digest, now, tensors

_LOGPROB, _ENTROPY, _FROM_UNIFORM = 1, 2, 3
_DIGITS = 7
_AT_ONCE = 64
"""Completions of one request that the engine has at a time, so that others get their turn."""


class RequestFault(ValueError):
    """A request that can never be answered; carries the JSON pointer of the field."""

    def __init__(self, pointer: str, reason: str) -> None:
        super().__init__(reason)
        self.pointer = pointer


class Unavailable(RuntimeError):
    """An engine that cannot answer now."""


class UnusableWeights(RuntimeError):
    """Weights whose certainties are no numbers; others have to be loaded."""


class Measuring:
    """One engine, and the weights it has."""

    def __init__(self, engine: EngineClient, weights: Weights, tensors: Tensors, tokenizer: TokenizerFile) -> None:
        config = engine.vllm_config.model_config
        self.engine = engine
        self.weights = weights
        self.tokenizer = tokenizer
        self.vocab_size = config.get_vocab_size()
        self.longest = config.max_model_len
        name = config.served_model_name
        self.name = name if isinstance(name, str) else str(name)
        self.path = str(config.model)
        self._shape = config.hf_text_config.to_dict() | {"architectures": config.architectures}
        self._tensors = tensors
        self._named = {weights.revision: weights.revision}
        """Digests of the weights that have had a name."""
        self._gate = Gate()
        self._broken: str | None = None

    @classmethod
    async def create(cls, engine: EngineClient) -> "Measuring":
        """Around an engine that serves a model for self-certainty. Raises RuntimeError for another."""
        config = engine.vllm_config.model_config
        if not any(name.endswith(SUFFIX) for name in config.architectures):
            raise RuntimeError(
                f"{config.architectures} is not served for self-certainty: start it by "
                "`python -m reward_server.vllm_plugin MODEL`, or take shop-r1 out of VLLM_PLUGINS"
            )
        folder = Path(config.model)
        if folder.is_dir():
            weights = Weights(await asyncio.to_thread(digest, folder), now())
        else:
            weights = Weights(commit(config.revision), now(), config.revision and str(config.revision))
        needed = await asyncio.to_thread(_started_with, config.model, config.revision)
        return cls(engine, weights, needed, tokenizer_file(engine))

    def about(self) -> messages.About:
        """What is served. Raises Unavailable after a reload that failed."""
        self._check_usable()
        return messages.About(
            protocol=messages.PROTOCOL,
            plugin=__version__,
            vllm=vllm_version,
            model=self.name,
            path=self.path,
            revision=self.weights.revision,
            requested_revision=self.weights.requested,
            loaded_at=self.weights.loaded_at,
            vocab_size=self.vocab_size,
            max_model_len=self.longest,
            tokenizer=self.tokenizer.digest,
            prefix_caching=bool(self.engine.vllm_config.cache_config.enable_prefix_caching),
            cache_cap=cache_cap.is_installed(),
        )

    async def measure(self, request: messages.Request) -> messages.Response:
        """The certainties of one prompt's completions. Raises RequestFault, Unavailable and UnusableWeights."""
        self._check(request)
        async with self._gate.reading():
            self._check_usable()
            turns = asyncio.Semaphore(_AT_ONCE)
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(self._in_turn(turns, request, completion))
                        for completion in request.completions
                    ]
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            return messages.Response(
                model=self.name,
                revision=self.weights.revision,
                loaded_at=self.weights.loaded_at,
                vocab_size=self.vocab_size,
                tokenizer=self.tokenizer.digest,
                results=[task.result() for task in tasks],
            )

    async def reload(self, request: messages.ReloadRequest) -> messages.About:
        """Change the weights while nobody measures; drop what the cache has of the old ones.

        Raises RequestFault for a folder that will not do, before anything is touched, and Unavailable when loading
        fails all the same. Then nobody knows what the engine has, and it answers nothing until it is started again.
        """
        folder = Path(request.path)
        try:
            await asyncio.to_thread(check_folder, folder, self._shape, self._tensors)
        except FolderError as error:
            raise RequestFault("/path", str(error)) from None
        # Shielded: a client that leaves must not leave the weights half changed.
        await asyncio.shield(self._exchange(folder, request.revision))
        return self.about()

    async def _exchange(self, folder: Path, name: str | None) -> None:
        async with self._gate.writing():
            self._check_usable()
            found = await asyncio.to_thread(digest, folder)
            revision = name or found
            # Who compares revisions must not take two versions of the weights for one.
            if self._named.get(revision, found) != found:
                raise RequestFault("/revision", f"{revision!r} is the name of other weights already")
            try:
                await self._load(folder)
                if await asyncio.to_thread(digest, folder) != found:
                    raise RuntimeError("the files changed while they were read")
            except Exception as error:
                self._broken = f"loading the weights of {folder} failed, start vLLM again: {error}"
                raise Unavailable(self._broken) from error
            self._named[revision] = found
            self.weights = Weights(revision, now())

    async def _load(self, folder: Path) -> None:
        await self.engine.pause_generation(mode="wait", clear_cache=True)
        try:
            await self.engine.collective_rpc("shop_r1_reload", kwargs={"folder": str(folder)})
            if not await self.engine.reset_prefix_cache():
                raise RuntimeError("the prefix cache still holds tokens of the old weights")
        finally:
            await self.engine.resume_generation()

    async def _in_turn(
        self, turns: asyncio.Semaphore, request: messages.Request, completion: messages.Completion
    ) -> messages.Result:
        async with turns:
            return await self._measure_one(request.prompt_token_ids, completion, request.per_token)

    async def _measure_one(
        self, prompt: list[int], completion: messages.Completion, per_token: bool
    ) -> messages.Result:
        start, end = (len(prompt) + position for position in completion.span)
        if start == end:
            return messages.Result(
                tokens=0,
                kl_to_uniform=0.0,
                kl_from_uniform=0.0,
                logprob=0.0,
                cached_tokens=0,
                rescored=False,
                per_token=messages.PerToken(logprob=[], entropy=[], kl_from_uniform=[]) if per_token else None,
            )
        token_ids = prompt + completion.token_ids[: completion.span[1]]
        rows, cached = await self._rows(token_ids, start, end, read_cache=True)
        whole = _whole(rows, start, end)
        rescored = whole is None
        if whole is None:
            rows, cached = await self._rows(token_ids, start, end, read_cache=False)
            whole = _whole(rows, start, end)
            if whole is None:
                raise Unavailable(
                    f"the engine answered rows {rows[:, POSITION].tolist()[:5]}…, not {start} to {end - 1}"
                )
        return self._result(whole, cached, rescored, per_token)

    async def _rows(self, token_ids: list[int], start: int, end: int, read_cache: bool) -> tuple[torch.Tensor, int]:
        """What the pooler kept, shape (tokens, 4), and how many tokens came from the cache."""
        params = pooling_params(start, end, read_cache)
        prompt = TokensPrompt(prompt_token_ids=token_ids)
        (output,) = [item async for item in self.engine.encode(prompt, params, f"self-certainty-{uuid.uuid4().hex}")]
        return output.outputs.data, output.num_cached_tokens or 0

    def _result(self, rows: torch.Tensor, cached: int, rescored: bool, per_token: bool) -> messages.Result:
        columns = rows.double()
        logprob, entropy, from_uniform = (columns[:, column] for column in (_LOGPROB, _ENTROPY, _FROM_UNIFORM))
        if not torch.isfinite(logprob + entropy).all():
            raise UnusableWeights(f"with the weights {self.weights.revision}, the model's logits are not finite")
        return messages.Result(
            tokens=len(rows),
            kl_to_uniform=max(0.0, log(self.vocab_size) - entropy.mean().item()),
            kl_from_uniform=_finite(max(0.0, from_uniform.mean().item())),
            logprob=logprob.mean().item(),
            cached_tokens=cached,
            rescored=rescored,
            per_token=messages.PerToken(
                logprob=[_short(value) for value in logprob.tolist()],
                entropy=[_short(value) for value in entropy.tolist()],
                kl_from_uniform=[_finite(_short(value)) for value in from_uniform.tolist()],
            )
            if per_token
            else None,
        )

    def _check(self, request: messages.Request) -> None:
        self._check_ids("/prompt_token_ids", request.prompt_token_ids)
        for index, completion in enumerate(request.completions):
            where = f"/completions/{index}"
            self._check_ids(f"{where}/token_ids", completion.token_ids)
            start, end = completion.span
            if not 0 <= start <= end <= len(completion.token_ids):
                reason = f"[{start}, {end}) is no part of a completion of {len(completion.token_ids)} tokens"
                raise RequestFault(f"{where}/span", reason)
            if start < end and not start and not request.prompt_token_ids:
                raise RequestFault(f"{where}/span", "nothing precedes the first token, so it has no distribution")
            if len(request.prompt_token_ids) + end > self.longest:
                raise RequestFault(
                    f"{where}/span",
                    f"the prompt's {len(request.prompt_token_ids)} tokens and {end} of the completion are "
                    f"{len(request.prompt_token_ids) + end}, more than the {self.longest} that the model reads",
                )

    def _check_ids(self, pointer: str, token_ids: list[int]) -> None:
        if token_ids and max(token_ids) >= self.vocab_size:
            position = next(index for index, number in enumerate(token_ids) if number >= self.vocab_size)
            reason = f"the id {token_ids[position]} is outside the model's vocabulary of {self.vocab_size}"
            raise RequestFault(f"{pointer}/{position}", reason)

    def _check_usable(self) -> None:
        if self._broken is not None:
            raise Unavailable(self._broken)
        if self.engine.errored:
            raise Unavailable("the engine is dead")


def _started_with(model: str, revision: str | None) -> Tensors:
    """The tensors that a model was started with; none for a model of which no folder is known."""
    folder = Path(model)
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(model, revision=revision, local_files_only=True))
        except (OSError, ValueError):
            return {}
    try:
        return tensors(folder)
    except FolderError:
        return {}


def _whole(rows: torch.Tensor, start: int, end: int) -> torch.Tensor | None:
    """One row for each position in [start, end), in order; None where one is missing.

    A request that the engine interrupted for want of memory has some rows twice, by the same weights.
    """
    by_position = {int(position): index for index, position in enumerate(rows[:, POSITION].tolist())}
    if by_position.keys() != set(range(start, end)):
        return None
    return rows[[by_position[position] for position in range(start, end)]]


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
