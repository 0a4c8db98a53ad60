"""What certainty sources are set up with."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What sources are set up with; each reads those it has a use for."""

    model: str | None = None
    """A Hugging Face id or a folder."""
    revision: str | None = None
    url: str = "http://127.0.0.1:8000"
    """Where vLLM listens."""
    api_key: str | None = field(default=None, repr=False)
    top_k: int = 20
    """Log-probabilities per token that a stock vLLM is asked for."""
    concurrency: int = 16
    """Most prompts being measured at once."""
    patience: float = 120.0
    """Seconds to wait for a source that does not answer."""
    rollout_certainty: bool = False
    """Whether batches may bring their own logprobs in place of it."""
