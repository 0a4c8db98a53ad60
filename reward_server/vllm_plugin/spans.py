"""How a request says which of its tokens it asks about: vLLM carries it as an extra of the pooling parameters."""

from vllm.pooling_params import PoolingParams

_KEY = "self_certainty"


def pooling_params(start: int, end: int, read_cache: bool) -> PoolingParams:
    """Parameters that ask for the tokens at positions [start, end), 1 ≤ start < end."""
    return PoolingParams(
        task="token_classify",
        use_activation=False,
        skip_reading_prefix_cache=not read_cache,
        extra_kwargs={_KEY: [start, end]},
    )


def span_of(params: PoolingParams, length: int) -> tuple[int, int]:
    """The positions asked for; all but the first token's where nothing is asked for, as in vLLM's warm-up."""
    asked = (params.extra_kwargs or {}).get(_KEY)
    return (1, length) if asked is None else (int(asked[0]), int(asked[1]))


def first_row_needed(params: PoolingParams | None) -> int | None:
    """The first position that has to be computed, not read from a cache; None for requests that are not ours."""
    asked = ((params.extra_kwargs if params else None) or {}).get(_KEY)
    return None if asked is None else int(asked[0]) - 1
