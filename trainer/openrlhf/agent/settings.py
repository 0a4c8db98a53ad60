"""What the agent executor is told, through the environment that Ray hands on to the rollout engines."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "SHOP_R1_"
MOST_LOGPROBS = 20
"""vLLM's `max_logprobs`, which OpenRLHF leaves as it is."""

CertaintyFrom = Literal["rollout", "server", "none"]
"""What a rollout carries: its policy's own logprobs, its tokens for a server that measures, or its text alone."""


class AgentSettings(BaseSettings):
    """Each is an environment variable, `SHOP_R1_` before its name. Raises pydantic's ValidationError."""

    # The key is among the input, and errors go into logs.
    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    server_url: str
    """Of the reward server; of several, with commas between."""
    api_key: SecretStr | None = None
    """Its API key."""
    spec: str | None = None
    """Which of the server's specs scores; by default its default."""
    digest: str | None = None
    """That spec's digest: the server refuses to score with another."""
    run: str | None = None
    """The training run, for the server's metrics."""
    certainty: CertaintyFrom = "rollout"
    """What rollouts carry for their certainty."""
    certainty_source: str | None = None
    """By which the server measures certainty; by another, none is taken."""
    certainty_model: str | None = None
    """Whose certainty the server measures; another's is refused."""
    top_k: Annotated[int, Field(ge=1, le=MOST_LOGPROBS)] = MOST_LOGPROBS
    """Logprobs per token, where rollouts carry them; more give narrower bounds."""
    patience: Annotated[float, Field(gt=0)] = 600.0
    """Seconds until a reward that cannot be had ends the run."""
    tls_ca_file: Path | None = None
    """Of an https server: who may sign its certificate."""
    tls_certificate: Path | None = None
    """That shows it who asks."""
    tls_key: Path | None = None
    """The certificate's."""
    rollouts: Path | None = None
    """Folder to keep every scored rollout in."""
    action_types: str = "click,terminate,type_and_submit"
    """The spec's action types, for the logged shares of predictions."""


VARIABLES = {name: f"{_PREFIX}{name.upper()}" for name in AgentSettings.model_fields}
"""The environment variable of each setting, by its field."""
