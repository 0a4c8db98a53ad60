"""A causal language model, read for how certain it is of each token. Imports torch and transformers, so import it late.

Every text is read by itself and in the same pieces whatever else is asked, so that a value never depends on its batch.
"""

import copy
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from reward_server.certainty.divergence import Floats
from reward_server.certainty.exact import exact
from reward_server.certainty.source import Kind

_READ_AT_ONCE = 1024
"""Tokens of a forward pass from which no distribution is needed: bounds the memory that a long prompt takes."""
_ROWS_AT_ONCE = 64
"""Distributions held at once: a row of 151,936 logits is worked on in a few copies of 1.2 MB."""


OutOfMemory = torch.OutOfMemoryError
"""A GPU without room for what was asked; nothing of it stays there."""


class ModelError(ValueError):
    """Weights that no certainty can be told from; says why."""


class Context(NamedTuple):
    """A text that has been read: what the model remembers of it, and its logits for the token that comes next."""

    cache: Any
    logits: torch.Tensor | None
    """Shape (1, V); None where nothing has been read."""


NOTHING = Context(None, None)


class CausalModel:
    """A Hugging Face causal language model in float32, on the GPU if torch has one.

    Reads safetensors only, and runs no code that comes with them. Raises ModelError for weights of something else, and
    whatever transformers raises for what it cannot load.
    """

    def __init__(self, model: str | Path, revision: str | None) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        # NVIDIA's images let float32 products have the ten binary digits of TF32.
        torch.set_float32_matmul_precision("highest")
        self._model = _load(model, revision).to(self.device).eval()
        # transformers 5.24 renamed what it had read: whichever name the model has is taken, without a warning.
        known = inspect.signature(self._model.forward).parameters
        self._cache = "cache" if "cache" in known else "past_key_values"
        self.probe()
        config = self._model.config.get_text_config()
        self.vocab_size: int = self._model.get_input_embeddings().weight.shape[0]
        self.longest: int | None = getattr(config, "max_position_embeddings", None)
        """The model's context, in tokens; None where it has no limit."""

    def read(self, token_ids: Sequence[int]) -> Context:
        """What `certainties` needs to know of the text before, read once for all that may follow it."""
        context = NOTHING
        with torch.inference_mode():
            for piece in _pieces(token_ids, _READ_AT_ONCE):
                context = Context(*self._read(context.cache, piece, 1))
        return context

    def certainties(self, context: Context, token_ids: Sequence[int], start: int, kind: Kind) -> Floats:
        """The certainty, in nats, of each of `token_ids[start:]` where they follow the context; shape (tokens,).

        Nothing comes before the first token of all, so `start` is 1 or more where the context is empty. Raises
        ModelError for logits that are not numbers.
        """
        values = []
        unread = max(start - 1, 0)
        with torch.inference_mode():
            cache = copy.deepcopy(context.cache)
            if start == 0 and token_ids:
                assert context.logits is not None
                values.append(_certainty(context.logits, kind))
            for piece in _pieces(token_ids[:unread], _READ_AT_ONCE):
                cache, _ = self._read(cache, piece, 1)
            for piece in _pieces(token_ids[unread:-1], _ROWS_AT_ONCE):
                cache, logits = self._read(cache, piece, len(piece))
                values.append(_certainty(logits, kind))
        return np.concatenate(values) if values else np.zeros(0)

    def _read(self, cache: Any, token_ids: Sequence[int], keep: int) -> tuple[Any, torch.Tensor]:
        """Read on, into the same cache; it, and the logits after each of the last `keep` tokens."""
        ids = torch.tensor([token_ids], device=self.device)
        output = self._model(input_ids=ids, **{self._cache: cache}, use_cache=True, logits_to_keep=keep)
        return getattr(output, self._cache), output.logits[0]

    def probe(self) -> None:
        """Read a token. Raises ModelError where the weights are no numbers, or cannot read a text piece by piece."""
        name = type(self._model).__name__
        if "logits_to_keep" not in inspect.signature(self._model.forward).parameters:
            raise ModelError(f"{name} computes the logits of a whole prompt or none")
        with torch.inference_mode():
            output = self._model(input_ids=torch.tensor([[0]], device=self.device), use_cache=True, logits_to_keep=1)
            _certainty(output.logits[0], "kl_to_uniform")
        if getattr(output, self._cache, None) is None:
            raise ModelError(f"{name} does not keep what it has read of a prompt")


def _load(model: str | Path, revision: str | None) -> PreTrainedModel:
    logging.disable_progress_bar()
    answer: Any = AutoModelForCausalLM.from_pretrained(
        model,
        revision=revision or "main",
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    loaded: PreTrainedModel = answer[0]
    # transformers would take a masked or a reward model's weights, and make up those of a missing head.
    trained_as = loaded.config.architectures or [type(loaded).__name__]
    if type(loaded).__name__ not in trained_as:
        raise ModelError(f"it is a {', '.join(trained_as)}, not a causal language model")
    if missing := sorted(answer[1]["missing_keys"]):
        raise ModelError(f"its files lack {len(missing)} of its weights, such as {missing[0]}")
    return loaded


def _certainty(logits: torch.Tensor, kind: Kind) -> Floats:
    if not torch.isfinite(logits).all():
        raise ModelError("its logits are not all finite numbers, so it has no distribution")
    values: Floats = exact(logits, kind).cpu().numpy()
    return values


def _pieces(token_ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (token_ids[start : start + size] for start in range(0, len(token_ids), size))
