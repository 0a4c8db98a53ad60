"""Every setting of the server: a flag of `reward-server serve` and an environment variable `REWARD_…`."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from reward_server.certainty.options import SourceOptions
from reward_server.certainty.sources import SourceName

Access = Literal["open", "key", "off"]
"""Who may see a route that scores nothing: anyone, whoever has an API key, or nobody."""

_SHORTEST_KEY = 16


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _http_url(text: str) -> str:
    try:
        url = urlsplit(text)
        is_good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(f"{text!r} is not the address of a server, such as http://127.0.0.1:8000")
    return text


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
        "rollout",
        description="Where the rationale's certainty comes from: top-k logprobs in each rollout, a vLLM with our "
        "plugin, any vLLM's top-k logprobs, a model in this process, or nowhere.",
    )
    certainty_model: str | None = Field(
        None,
        min_length=1,
        description="Hugging Face id or folder of the model whose certainty it is. local: that model, the built-in "
        "demo model without one; vllm-logprobs: needed, for its tokenizer; vllm: refuse any other model.",
    )
    certainty_revision: str | None = Field(
        None, min_length=1, description="Revision of that model; vllm refuses any other."
    )
    vllm_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "http://127.0.0.1:8000", description="Where vLLM listens, for vllm and vllm-logprobs."
    )
    vllm_api_key: SecretStr | None = Field(None, description="Key that vLLM asks for (its own --api-key).")
    vllm_top_k: int = Field(
        20,
        ge=1,
        le=1_000,
        description="Log-probabilities per token for vllm-logprobs; vLLM's --max-logprobs allows 20.",
    )
    certainty_concurrency: int = Field(16, ge=1, description="Most prompts whose rationales are measured at once.")
    patience: float = Field(
        120.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds a request may wait for its turn and for a certainty source that does not answer.",
    )
    rollout_certainty: bool = Field(
        False, description="Use the top-k logprobs of batches that bring them, whatever the source is for the others."
    )
    require_prompt: bool = Field(
        False,
        description="Refuse rollouts whose rationale would be measured without its prompt. For training, say yes.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = Field(
        (), description="Keys that clients may use. Without any, every request is served."
    )
    api_keys_file: Path | None = Field(
        None, description="File with further keys, one a line; read again when it changes. For mounted secrets."
    )
    open: bool = Field(False, description="Serve an address other than loopback without API keys.")
    metrics: Access = Field("open", description="Who may see /metrics: anyone, whoever has a key, or nobody.")
    docs: Access = Field("open", description="Who may see /openapi.json: the same.")
    tls_cert: Path | None = Field(
        None, description="The server's certificate and those between it and its authority, as PEM: speak HTTPS."
    )
    tls_key: Path | None = Field(None, description="Private key of that certificate, as PEM.")
    tls_key_password: SecretStr | None = Field(None, description="Password of that key.")
    tls_client_ca: Path | None = Field(
        None, description="Authorities, as PEM, one of which has to have signed every client's certificate (mTLS)."
    )
    max_body_bytes: int = Field(256 * 2**20, ge=1, description="Largest request body, in bytes.")
    max_rollouts: int = Field(16_384, ge=1, description="Most rollouts in one request.")
    max_field_chars: int = Field(64 * 2**20, ge=1, description="Most characters in one completion or prompt.")
    max_depth: int = Field(64, ge=8, le=1_024, description="Most levels of nesting in a request.")
    max_inflight_bytes: int = Field(
        512 * 2**20, ge=1, description="Bytes of request bodies held at once; requests beyond wait their turn."
    )
    request_seconds: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="Seconds in which a request has to arrive, once it is its turn."
    )
    workers: int = Field(1, ge=1, le=256, description="Processes that serve; one is enough for most trainers.")
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

    @property
    def source_options(self) -> SourceOptions:
        """What the certainty source is set up with."""
        return SourceOptions(
            self.certainty_model,
            self.certainty_revision,
            self.vllm_url.rstrip("/"),
            self.vllm_api_key.get_secret_value() if self.vllm_api_key else None,
            self.vllm_top_k,
            self.certainty_concurrency,
            self.patience,
            self.rollout_certainty,
        )

    @property
    def takes_rollouts(self) -> bool:
        """Whether a batch may bring its own top-k log-probabilities."""
        return self.certainty == "rollout" or (self.rollout_certainty and self.certainty != "none")

    @property
    def shortest_key(self) -> int:
        """Characters that an API key needs: 16 where others can knock and are not let in anyway."""
        return 1 if self.open or _is_loopback(self.host) else _SHORTEST_KEY

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.max_inflight_bytes < self.max_body_bytes:
            raise ValueError(
                f"max_inflight_bytes {self.max_inflight_bytes:,} is less than max_body_bytes {self.max_body_bytes:,}: "
                "the largest body would never get its turn"
            )
        if self.workers > 1 and self.certainty == "local":
            raise ValueError("workers: each would load the model of certainty local; serve it by vLLM, or use 1")
        return self

    @model_validator(mode="after")
    def _not_open_by_accident(self) -> Self:
        has_keys = bool(self.api_keys or self.api_keys_file)
        if not has_keys and not self.open and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host} is reachable from other machines: set REWARD_API_KEYS or REWARD_API_KEYS_FILE, or "
                "--open to serve anyone"
            )
        for number, key in enumerate(self.api_keys, 1):
            if len(key) < self.shortest_key:
                raise ValueError(
                    f"key {number} of REWARD_API_KEYS has {len(key)} characters; on host {self.host}, which is "
                    f"reachable from other machines, {_SHORTEST_KEY} are needed: 'openssl rand -hex 16' makes a key"
                )
        for name, access in (("REWARD_METRICS", self.metrics), ("REWARD_DOCS", self.docs)):
            if access == "key" and not has_keys:
                raise ValueError(f"{name} is 'key', and there are no API keys")
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("REWARD_TLS_CERT and REWARD_TLS_KEY go together: set both, or neither")
        if self.tls_cert is None and (self.tls_key_password or self.tls_client_ca):
            raise ValueError("REWARD_TLS_KEY_PASSWORD and REWARD_TLS_CLIENT_CA need REWARD_TLS_CERT")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
