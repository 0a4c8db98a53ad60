"""What Prometheus is told of the certainty source: its pace, its failures, its model, and the certainties it tells."""

from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from reward_server.certainty.source import Certainty, Model, TokensRead

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_NATS = (0, 1e-5, 2e-5, 4e-5, 6e-5, 8e-5, 1e-4, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 25, 30)
"""The first few for kl_to_uniform_over_vocab, whose largest value is ln V / V."""
_WIDTHS = (0, 1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8)


class CertaintyMetrics:
    """Series of one certainty source in a server's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._described: tuple[str, str, str] | None = None
        self.up = Gauge(
            "shop_r1_certainty_up",
            "1 while the latest check of the certainty source succeeded.",
            ["source"],
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.held_back = Gauge(
            "shop_r1_certainty_breaker_open",
            "1 while the source has failed several times in a row, and one batch at a time tries it.",
            ["source"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.seconds = Histogram(
            "shop_r1_certainty_seconds",
            "Time to measure the rationales of one batch, waits included.",
            ["source"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.failures = Counter(
            "shop_r1_certainty_failures",
            "Batches that could not be measured, by problem.",
            ["source", "problem"],
            registry=registry,
        )
        self._tokens = Counter("shop_r1_certainty_tokens", "Rationale tokens measured.", ["source"], registry=registry)
        self._computed = Counter(
            "shop_r1_certainty_computed_tokens",
            "Tokens of prompts and completions that the model computed to measure them.",
            ["source"],
            registry=registry,
        )
        self._cached = Counter(
            "shop_r1_certainty_cached_tokens",
            "Tokens of prompts and completions that the prefix cache spared it.",
            ["source"],
            registry=registry,
        )
        self._without_context = Counter(
            "shop_r1_certainty_without_context",
            "Rationales measured without their prompt, because the rollout brought none.",
            ["source"],
            registry=registry,
        )
        self._nats = Histogram(
            "shop_r1_certainty_nats",
            "Certainty of each rationale, in nats, before its weight.",
            ["source", "kind"],
            buckets=_NATS,
            registry=registry,
        )
        self._width = Histogram(
            "shop_r1_certainty_bound_width",
            "Upper less lower bound of each rationale's certainty, in nats; 0 where it is exact.",
            ["source"],
            buckets=_WIDTHS,
            registry=registry,
        )
        self._model = Gauge(
            "shop_r1_certainty_model_info",
            "1 for the model that certainties are measured with, 0 for those before it.",
            ["source", "model", "revision"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._loaded = Gauge(
            "shop_r1_certainty_model_loaded_timestamp_seconds",
            "When the source began to use that model's weights, in Unix time.",
            ["source"],
            registry=registry,
            multiprocess_mode="livemostrecent",
        )

    def begin(self, source: str) -> None:
        """Publish a source that has not been asked yet, with nothing counted."""
        self.up.labels(source).set(0)
        self.held_back.labels(source).set(0)
        self._without_context.labels(source)
        for problem in ("certainty-unavailable", "certainty-mismatch", "certainty-failed"):
            self.failures.labels(source, problem)

    def record(self, certainties: Sequence[Certainty]) -> None:
        """Count one measured batch."""
        for certainty in certainties:
            self._tokens.labels(certainty.source).inc(certainty.tokens)
            self._nats.labels(certainty.source, certainty.kind).observe(certainty.value)
            self._width.labels(certainty.source).observe(certainty.upper - certainty.lower)
            if not certainty.context:
                self._without_context.labels(certainty.source).inc()

    def count_read(self, source: str, before: TokensRead, now: TokensRead) -> None:
        """Count what a source had its model read in between."""
        self._computed.labels(source).inc(now.computed - before.computed)
        self._cached.labels(source).inc(now.cached - before.cached)

    def describe(self, source: str, model: Model) -> None:
        """Publish the model."""
        labels = source, model.name, model.revision or ""
        if self._described is not None:
            self._model.labels(*self._described).set(0)
        self._described = labels
        self._model.labels(*labels).set(1)
        if model.loaded_at is not None:
            self._loaded.labels(source).set(datetime.fromisoformat(model.loaded_at).timestamp())
