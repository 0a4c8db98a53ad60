"""The pooler: of each token of a span it keeps four numbers, in place of its hidden state.

Its output per request has one row per token: the token's position, ln p of it, H(p) and KL(U‖p). The distribution of
the token at position i is computed at position i − 1. A prompt may be computed in chunks, over several calls, and a
prefix of it may come from the cache, in which case its rows are missing; who asks checks the positions.

Written against vLLM 0.32, for both model runners: they hand the same metadata over. Only V1 on CPU has been run.
"""

import weakref
from collections.abc import Set
from typing import NamedTuple, cast

import torch
from torch import nn
from vllm.model_executor.layers.pooler import Pooler, PoolingParamsUpdate
from vllm.model_executor.models.interfaces_base import VllmModelForTextGeneration
from vllm.pooling_params import PoolingParams
from vllm.tasks import PoolingTask
from vllm.v1.outputs import PoolerOutput
from vllm.v1.pool.metadata import PoolingMetadata

from reward_server.vllm_plugin.spans import span_of
from reward_server.vllm_plugin.statistics import hidden_state_statistics

POSITION = 0
"""The column that holds a row's position, which float32 counts exactly up to 16 million."""


class _Wanted(NamedTuple):
    """Which rows of one call's hidden states are wanted of one request."""

    offset: int
    """Index of the first in the call's hidden states."""
    first: int
    """Position of the first token whose distribution it is."""
    rows: int


class SelfCertaintyPooler(Pooler):
    """Turns hidden states into logits with the model's own head, and these into statistics."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        # Weak, because the model owns the pooler.
        self._model = weakref.ref(model)

    def get_supported_tasks(self) -> Set[PoolingTask]:
        """Only one output per token makes sense here."""
        return {"token_classify"}

    def get_pooling_updates(self, _task: PoolingTask) -> PoolingParamsUpdate:
        """The tokens are needed, for their own probabilities."""
        return PoolingParamsUpdate(requires_token_ids=True)

    def forward(self, hidden_states: torch.Tensor, pooling_metadata: PoolingMetadata) -> PoolerOutput:
        """One tensor of shape (tokens, 4) for each request that is complete with this call, None for the others."""
        cursor = pooling_metadata.get_pooling_cursor()
        token_ids = pooling_metadata.get_prompt_token_ids_cpu()
        wanted = _wanted_rows(
            cursor.num_scheduled_tokens_cpu.tolist(),
            cursor.seq_lens_cpu.tolist(),
            pooling_metadata.pooling_params,
            pooling_metadata.prompt_lens.tolist(),
        )
        for state, rows in zip(
            pooling_metadata.pooling_states, self._statistics(hidden_states, token_ids, wanted), strict=True
        ):
            state.hidden_states_cache.append(rows)
        outputs: list[torch.Tensor | None] = []
        for state, finished in zip(pooling_metadata.pooling_states, cursor.get_finished_mask(), strict=True):
            outputs.append(torch.cat(state.hidden_states_cache) if finished else None)
            if finished:
                state.clean()
        return outputs

    def _statistics(
        self, hidden_states: torch.Tensor, token_ids: list[torch.Tensor], wanted: list[_Wanted]
    ) -> list[torch.Tensor]:
        """All requests' rows in one go, so that small spans share the work; then apart again."""
        model = cast(VllmModelForTextGeneration, self._model())
        device = hidden_states.device
        chosen = torch.cat([torch.arange(span.offset, span.offset + span.rows) for span in wanted]).to(device)
        positions = torch.cat([torch.arange(span.first, span.first + span.rows) for span in wanted]).to(device)
        targets = torch.cat(
            [ids[span.first : span.first + span.rows] for ids, span in zip(token_ids, wanted, strict=True)]
        ).to(device, torch.int64)
        found = hidden_state_statistics(model.compute_logits, hidden_states[chosen], targets)
        table = torch.cat([positions[:, None].float(), found], dim=1)
        return list(torch.split(table, [span.rows for span in wanted]))


def _wanted_rows(
    scheduled: list[int], computed: list[int], params: list[PoolingParams], lengths: list[int]
) -> list[_Wanted]:
    """The rows each request's span has in this call; `computed` counts a request's tokens up to and with the call."""
    wanted = []
    offset = 0
    for count, end, param, length in zip(scheduled, computed, params, lengths, strict=True):
        begin = end - count
        span_start, span_end = span_of(param, length)
        first = max(begin, span_start - 1)
        last = min(end, span_end - 1)
        rows = max(0, last - first)
        wanted.append(_Wanted(offset + first - begin if rows else offset, first + 1, rows))
        offset += count
    return wanted
