"""Every setting of the server: a flag of `reward-server serve` and an environment variable `REWARD_…`."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from reward_server.certainty.sources import SourceName


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseSettings):
    """What a server is started with. Lists are comma-separated."""

    model_config = SettingsConfigDict(
        env_prefix="REWARD_", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on. Any but loopback needs API keys, or --open.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    spec: str = Field("shop-r1", description="Reward spec that scores by default: a preset's name or a TOML file.")
    specs: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        (), description="Further specs to load, for ?spec=NAME. Default: every preset the certainty source can serve."
    )
    certainty: SourceName = Field(
        "rollout", description="Where the rationale's certainty comes from: top-k logprobs in each rollout, or nowhere."
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = Field(
        (), description="Keys that clients may use. Without any, every request is served."
    )
    open: bool = Field(False, description="Serve an address other than loopback without API keys.")
    max_body_bytes: int = Field(256 * 2**20, ge=1, description="Largest request body, in bytes.")
    max_rollouts: int = Field(16_384, ge=1, description="Most rollouts in one request.")
    max_field_chars: int = Field(64 * 2**20, ge=1, description="Most characters in one completion or prompt.")
    drain_seconds: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="After SIGTERM, keep accepting this long with /readyz failing, before shutting down.",
    )
    shutdown_seconds: float = Field(
        180.0, ge=0, allow_inf_nan=False, description="After that, wait this long for requests in flight to finish."
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        "warning", description="Level of the server's log; info adds a line per request."
    )

    @model_validator(mode="after")
    def _not_open_by_accident(self) -> Self:
        if not self.api_keys and not self.open and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host} is reachable from other machines: set REWARD_API_KEYS, or --open to serve anyone"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
