"""What one server process holds: its settings, one scorer per loaded spec, its metrics. All of it fixed at start."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reward_server.certainty.sources import create_source
from reward_server.reward.spec import load_preset, preset_names
from reward_server.scoring import ConfigurationError, Scorer
from reward_server.service.metrics import Metrics
from reward_server.settings import Settings
from reward_server.specs import find_spec


@dataclass
class ServerState:
    """Shared by all requests; only `draining` changes."""

    settings: Settings
    default: Scorer
    scorers: Mapping[str, Scorer]
    unservable: Mapping[str, str] = field(default_factory=dict)
    """Presets that this server's certainty source cannot serve, and why."""
    metrics: Metrics = field(default_factory=Metrics)
    draining: bool = False
    """Set by SIGTERM: /readyz fails, everything else is still served."""

    def __post_init__(self) -> None:
        self.keys = [key.get_secret_value() for key in self.settings.api_keys]
        self.metrics.describe([scorer.spec for scorer in self.scorers.values()], self.default.spec)


def create_state(settings: Settings) -> ServerState:
    """Load the specs. Raises SpecError or ConfigurationError when the server cannot serve what it was told to."""
    source = create_source(settings.certainty)
    default = Scorer(find_spec(settings.spec), source)
    scorers = {default.spec.name: default}
    unservable = {}
    if settings.specs:
        for spec in map(find_spec, settings.specs):
            known = scorers.setdefault(spec.name, Scorer(spec, source))
            if known.spec.digest != spec.digest:
                raise ConfigurationError(f"two different specs are named {spec.name!r}; rename one")
    else:
        for spec in map(load_preset, preset_names()):
            try:
                scorers.setdefault(spec.name, Scorer(spec, source))
            except ConfigurationError as error:
                unservable[spec.name] = str(error)
    return ServerState(settings, default, scorers, unservable)
