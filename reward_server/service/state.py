"""What one server process holds: settings, a scorer per loaded spec, the certainty source, metrics; fixed at start."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from reward_server.certainty.sources import create_source
from reward_server.reward.spec import RewardSpec, load_preset, preset_names
from reward_server.scoring import ConfigurationError, Scorer
from reward_server.service.admission import Admission
from reward_server.service.auth import KeyRing
from reward_server.service.certainty import WatchedSource
from reward_server.service.large import LargeBatches
from reward_server.service.metrics import Metrics
from reward_server.service.stock_body import StockBodies
from reward_server.service.together import Together
from reward_server.settings import Settings
from reward_server.specs import find_spec

_PAGES_BYTES = 64 * 2**20
"""Of pages that OpenRLHF has sent: those of a batch of 128 prompts come to 30 MB."""


class Specs(NamedTuple):
    """What a server scores by: read once, so that all its processes have the same, whatever becomes of the files."""

    default: RewardSpec
    others: tuple[RewardSpec, ...]


@dataclass
class ServerState:
    """Shared by all requests; only `draining` changes."""

    settings: Settings
    keys: KeyRing
    default: Scorer
    scorers: Mapping[str, Scorer]
    unservable: Mapping[str, str] = field(default_factory=dict)
    """Presets that this server's certainty source cannot serve, and why."""
    certainty: WatchedSource | None = None
    metrics: Metrics = field(default_factory=Metrics)
    large: LargeBatches | None = None
    """Who scores large batches; None where this process does."""
    is_inner: bool = False
    """Whether all requests come from another process of this server, which has admitted and counts them."""
    draining: bool = False
    """Set by SIGTERM: /readyz fails, everything else is still served."""

    stock_bodies: StockBodies = field(default_factory=partial(StockBodies, _PAGES_BYTES))

    def __post_init__(self) -> None:
        self.admission = Admission(sys.maxsize if self.is_inner else self.settings.max_inflight_bytes)
        self.together = Together(self.settings, self.metrics, self.stock_bodies, self.admission)
        if not self.is_inner:
            self.metrics.follow(self.metrics.held_bytes, lambda: self.admission.held)
            self.metrics.follow(self.metrics.waiting, lambda: self.admission.waiting)
        self.metrics.describe([scorer.spec for scorer in self.scorers.values()], self.default.spec)

    @property
    def has_company(self) -> bool:
        """Whether other processes of this server have metrics as well."""
        return self.settings.workers > 1 or (self.large is not None and self.large.has_begun)

    @property
    def is_ready(self) -> bool:
        """Whether new work should be sent here."""
        return not self.draining and (self.certainty is None or self.certainty.problem is None)


def read_specs(settings: Settings) -> Specs:
    """The specs that the settings name; without any but the default, every preset. Raises SpecError."""
    others = map(find_spec, settings.specs) if settings.specs else map(load_preset, preset_names())
    return Specs(find_spec(settings.spec), tuple(others))


def create_state(
    settings: Settings, specs: Specs, large: LargeBatches | None = None, *, is_inner: bool = False
) -> ServerState:
    """Read the keys, set up the certainty source and the specs' scorers; `is_inner` in the process for large batches.

    Raises ConfigurationError or SourceError when the server cannot serve what it was told to.
    """
    keys = KeyRing(settings)
    metrics = Metrics()
    created = create_source(settings.certainty, settings.source_options)
    source = None if created is None else WatchedSource(created, metrics.certainty, settings.patience)
    scorer = partial(Scorer, source=source, require_prompt=settings.require_prompt)
    default = scorer(specs.default)
    scorers = {default.spec.name: default}
    unservable = {}
    if settings.specs:
        for spec in specs.others:
            known = scorers.setdefault(spec.name, scorer(spec))
            if known.spec.digest != spec.digest:
                raise ConfigurationError(f"two different specs are named {spec.name!r}; rename one")
    else:
        for spec in specs.others:
            try:
                scorers.setdefault(spec.name, scorer(spec))
            except ConfigurationError as error:
                unservable[spec.name] = str(error)
    return ServerState(settings, keys, default, scorers, unservable, source, metrics, large, is_inner)
