"""What Prometheus scrapes: the service's health, and what a reward designer needs to see of the rewards themselves.

A server may be several processes, whose metrics are one: `multiprocess_mode` says how they combine. What a request does
to them is noted, and published a moment later: counting each request for itself would take longer than scoring it.
"""

import asyncio
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge

from reward_server import __version__
from reward_server.reward.score import Terms
from reward_server.reward.spec import RewardSpec
from reward_server.scoring import Rollout, Scored
from reward_server.service.certainty_metrics import CertaintyMetrics
from reward_server.service.exposition import exposed_registry
from reward_server.service.histogram import Histogram

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

MOST_RUNS = 100
"""Training runs that get a series of their own; later ones are counted together as `other`."""

_MOMENT = 0.01
"""Seconds after which what was noted is published."""
_PERIOD = 1.0
"""Seconds after which levels are published even if nothing was noted."""

_SCORING_ROUTES = ("/score", "/get_reward")

_FLOAT32_EPSILON = 2.0**-23
"""Rewards that lie closer, relative to the largest, are equal to a trainer, which computes in float32."""

_TERM_BUCKETS = (
    0,
    0.01,
    0.05,
    0.1,
    0.2,
    0.3,
    0.5,
    0.75,
    0.9,
    1,
    2,
    10,
    100,
    750,
    800,
    850,
    900,
    950,
    999,
    1000,
    2000,
)
_SCORE_BUCKETS = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1)
_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 180)


class Metrics:
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._exposed = exposed_registry(registry)
        self._build = Gauge(
            "shop_r1_build_info", "The server's version.", ["version"], registry=registry, multiprocess_mode="max"
        )
        self._specs = Gauge(
            "shop_r1_spec_info",
            'Loaded reward specs; the default one has default="true".',
            ["spec", "digest", "default"],
            registry=registry,
            multiprocess_mode="max",
        )
        self.ready = Gauge(
            "shop_r1_ready", "1 while /readyz says so.", registry=registry, multiprocess_mode="livemostrecent"
        )
        self.requests = Counter(
            "shop_r1_http_requests", "HTTP requests answered.", ["route", "method", "status"], registry=registry
        )
        self.latency = Histogram(
            "shop_r1_http_request_duration_seconds",
            "From the request's head to the end of its answer.",
            ["route"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "shop_r1_http_requests_in_flight", "Requests being served.", registry=registry, multiprocess_mode="livesum"
        )
        self.waiting = Gauge(
            "shop_r1_http_requests_waiting",
            "Requests in flight whose body is not read yet, because it is not their turn.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.held_bytes = Gauge(
            "shop_r1_http_request_bytes_held",
            "Bytes of the request bodies that are being read or scored; REWARD_MAX_INFLIGHT_BYTES bounds them.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.problems = Counter("shop_r1_problems", "Requests refused, by problem.", ["problem"], registry=registry)
        self.batches = Counter("shop_r1_batches", "Batches scored, by dialect.", ["dialect"], registry=registry)
        self._rollouts = Counter(
            "shop_r1_rollouts",
            "Rollouts scored; reason is why a completion is invalid, or 'valid'.",
            ["spec", "reason"],
            registry=registry,
        )
        self._predictions = Counter(
            "shop_r1_predictions",
            "Predicted against label action types; terminate spam shows here.",
            ["spec", "label_type", "predicted_type"],
            registry=registry,
        )
        self._exact = Counter(
            "shop_r1_exact_matches",
            "Predictions equal to their label in type and every field.",
            ["spec", "label_type"],
            registry=registry,
        )
        self._terms = Histogram(
            "shop_r1_term",
            "Weighted contributions to the reward, per rollout.",
            ["spec", "term"],
            buckets=_TERM_BUCKETS,
            registry=registry,
        )
        self._score = Histogram(
            "shop_r1_score",
            "Reward without certainty over the best the label allows, per rollout.",
            ["spec"],
            buckets=_SCORE_BUCKETS,
            registry=registry,
        )
        self._groups = Counter(
            "shop_r1_groups",
            "Groups of two or more rollouts in one request; variance is 'zero' where they all earn the same.",
            ["spec", "variance"],
            registry=registry,
        )
        self._by_run = Counter(
            "shop_r1_run_rollouts",
            "Rollouts scored for a training run, by the spec that scored them.",
            ["run", "spec", "digest"],
            registry=registry,
        )
        self._runs: set[str] = set()
        self._levels: list[tuple[Gauge, Callable[[], float]]] = []
        self._answers: list[tuple[str, str, int, float]] = []
        self._is_noted = False
        self._scored: dict[str, _Batches] = {}
        self.certainty = CertaintyMetrics(registry)
        # Prometheus sees no increase in a series that begins above 0: what alerts count is there from the start.
        for route in _SCORING_ROUTES:
            self.latency.labels(route)
            for status in ("200", "500", "503"):
                self.requests.labels(route, "POST", status)

    def describe(self, specs: Sequence[RewardSpec], default: RewardSpec) -> None:
        """Publish the version and the loaded specs."""
        self._build.labels(__version__).set(1)
        for spec in specs:
            self._specs.labels(spec.name, spec.digest, str(spec is default).lower()).set(1)
            for variance in ("zero", "some"):
                self._groups.labels(spec.name, variance)

    def follow(self, gauge: Gauge, level: Callable[[], float]) -> None:
        """Have a gauge say what `level` does whenever it is published."""
        self._levels.append((gauge, level))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note an answer, and how long it took."""
        self._answers.append((route, method, status, seconds))
        self._publish_soon()

    def record(
        self, rollouts: Sequence[Rollout], scored: Sequence[Scored], spec: RewardSpec, dialect: str, run: str
    ) -> None:
        """Note a scored batch."""
        # By name: specs of two names may have one digest.
        batches = self._scored.get(spec.name)
        if batches is None:
            batches = self._scored[spec.name] = _Batches(spec)
        batches.dialects[dialect] += 1
        if run:
            batches.runs[self._bounded(run)] += len(scored)
        if len(scored) > 1:
            batches.variances.update(_variances(rollouts, scored))
        batches.rollouts += scored
        self._publish_soon()

    async def keep_publishing(self) -> None:
        """Publish levels now and then, until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            self.publish()

    def _publish_soon(self) -> None:
        if not self._is_noted:
            self._is_noted = True
            asyncio.get_running_loop().call_later(_MOMENT, self.publish)

    def publish(self) -> None:
        """Count what was noted."""
        self._is_noted = False
        for gauge, level in self._levels:
            gauge.set(level())
        answers, self._answers = self._answers, []
        times: defaultdict[str, list[float]] = defaultdict(list)
        for route, _, _, seconds in answers:
            times[route].append(seconds)
        for route, taken in times.items():
            self.latency.labels(route).observe_all(taken)
        for (route, method, status), count in Tally(answer[:3] for answer in answers).items():
            self.requests.labels(route, method, str(int(status))).inc(count)
        for batches in self._scored.values():
            self._count(batches)
        self._scored.clear()

    def _count(self, batches: "_Batches") -> None:
        spec, scored = batches.spec, batches.rollouts
        cards = [item.card for item in scored]
        for dialect, count in batches.dialects.items():
            self.batches.labels(dialect).inc(count)
        for run, count in batches.runs.items():
            self._by_run.labels(run, spec.name, spec.digest).inc(count)
        for variance, count in batches.variances.items():
            self._groups.labels(spec.name, variance).inc(count)
        for reason, count in Tally([card.reason for card in cards]).items():
            self._rollouts.labels(spec.name, reason or "valid").inc(count)
        pairs = Tally([(item.label.type, item.card.action and item.card.action.type) for item in scored])
        for (label_type, predicted), count in pairs.items():
            self._predictions.labels(spec.name, label_type, _predicted_type(predicted, spec)).inc(count)
        for label_type, count in Tally([item.label.type for item in scored if item.card.exact_match]).items():
            self._exact.labels(spec.name, label_type).inc(count)
        self._score.labels(spec.name).observe_all([card.score for card in cards])
        for name, values in zip(Terms._fields, zip(*(card.terms for card in cards), strict=True), strict=False):
            self._terms.labels(spec.name, name).observe_all(values)

    async def settle(self) -> None:
        """Wait until other processes have published what they have noted."""
        await asyncio.sleep(3 * _MOMENT)

    def exposition(self) -> tuple[bytes, str]:
        """The metrics as Prometheus' text format, and its content type."""
        self.publish()
        return prometheus_client.generate_latest(self._exposed), prometheus_client.CONTENT_TYPE_LATEST

    def _bounded(self, run: str) -> str:
        if run not in self._runs:
            if len(self._runs) >= MOST_RUNS:
                return "other"
            self._runs.add(run)
        return run


class _Batches:
    """What was scored under one spec and is not counted yet."""

    def __init__(self, spec: RewardSpec) -> None:
        self.spec = spec
        self.rollouts: list[Scored] = []
        self.dialects: Tally[str] = Tally()
        self.runs: Tally[str] = Tally()
        self.variances: Tally[str] = Tally()


def _predicted_type(predicted: str | None, spec: RewardSpec) -> str:
    """The predicted type where the spec has it, so that a model cannot invent time series."""
    if predicted is None:
        return "invalid"
    return predicted if predicted in spec.actions else "unknown"


def _variances(rollouts: Sequence[Rollout], scored: Sequence[Scored]) -> Iterator[str]:
    """Of each group with two or more rollouts here, whether its rewards differ: `zero` or `some`."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for rollout, item in zip(rollouts, scored, strict=True):
        if rollout.group:
            groups[rollout.group].append(item.card.reward)
    for rewards in groups.values():
        if len(rewards) > 1:
            spread = max(rewards) - min(rewards)
            yield "some" if spread > _FLOAT32_EPSILON * max(map(abs, rewards)) else "zero"
