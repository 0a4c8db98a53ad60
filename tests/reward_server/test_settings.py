"""The server's settings: read from variables, checked, and closed to the world unless told otherwise."""

import os
from typing import Any

import pytest
from pydantic import ValidationError

from reward_server.certainty.options import SourceOptions
from reward_server.settings import Settings


@pytest.fixture(autouse=True)
def no_settings_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("REWARD_")]:
        monkeypatch.delenv(name)


def faults(**given: Any) -> set[str]:
    """The settings that are refused; "" for what only several together get wrong."""
    with pytest.raises(ValidationError) as caught:
        Settings(**given)
    return {".".join(map(str, error["loc"])) for error in caught.value.errors()}


def test_without_any_setting_a_server_scores_with_the_papers_reward_for_this_machine_alone() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.spec, settings.certainty) == (
        "127.0.0.1",
        8080,
        "shop-r1",
        "rollout",
    )
    assert (settings.api_keys, settings.open) == ((), False)


@pytest.mark.parametrize(
    ("variable", "text", "setting", "value"),
    [
        ("REWARD_PORT", "0", "port", 0),
        ("REWARD_PORT", "65535", "port", 65_535),
        ("REWARD_SPEC", "mine.toml", "spec", "mine.toml"),
        ("REWARD_SPECS", "opera", "specs", ("opera",)),
        ("REWARD_SPECS", " opera ,, ./a b.toml,", "specs", ("opera", "./a b.toml")),
        ("REWARD_SPECS", "", "specs", ()),
        ("REWARD_CERTAINTY", "none", "certainty", "none"),
        ("REWARD_OPEN", "true", "open", True),
        ("REWARD_OPEN", "0", "open", False),
        ("REWARD_DRAIN_SECONDS", "2.5", "drain_seconds", 2.5),
        ("reward_log_level", "debug", "log_level", "debug"),
        ("REWARD_CERTAINTY", "vllm-logprobs", "certainty", "vllm-logprobs"),
        ("REWARD_CERTAINTY_MODEL", "Qwen/Qwen2.5-3B-Instruct", "certainty_model", "Qwen/Qwen2.5-3B-Instruct"),
        ("REWARD_CERTAINTY_MODEL", "", "certainty_model", None),
        ("REWARD_CERTAINTY_CONCURRENCY", "1", "certainty_concurrency", 1),
        ("REWARD_PATIENCE", "0.5", "patience", 0.5),
        ("REWARD_ROLLOUT_CERTAINTY", "yes", "rollout_certainty", True),
        ("REWARD_REQUIRE_PROMPT", "1", "require_prompt", True),
    ],
)
def test_a_variable_sets_its_setting(
    variable: str, text: str, setting: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(Settings(), setting) == value


def test_a_variable_that_names_no_setting_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_SERVER_SERVICE_HOST", "10.0.0.1")  # Kubernetes sets such variables for a Service
    assert Settings().host == "127.0.0.1"


def test_what_is_given_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_PORT", "not a port")
    monkeypatch.setenv("REWARD_SPECS", "opera")
    settings = Settings(port=1, specs="binary,customer-r1")
    assert (settings.port, settings.specs) == (1, ("binary", "customer-r1"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("port", -1),
        ("port", 65_536),
        ("port", "http"),
        ("certainty", "vibes"),
        ("certainty", "Rollout "),
        ("open", "perhaps"),
        ("max_body_bytes", 0),
        ("max_rollouts", 0),
        ("max_field_chars", "1e3.5"),
        ("drain_seconds", -0.1),
        ("drain_seconds", "nan"),
        ("drain_seconds", "inf"),
        ("log_level", "trace"),
        ("certainty_model", ""),
        ("certainty_concurrency", 0),
        ("vllm_url", "127.0.0.1:8000"),
        ("vllm_url", "ftp://127.0.0.1"),
        ("vllm_url", "http://"),
        ("vllm_top_k", 0),
        ("vllm_top_k", 1_001),
        ("patience", 0),
        ("patience", "inf"),
        ("patience", "nan"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_the_settings_name(setting: str, value: object) -> None:
    assert faults(**{setting: value}) == {setting}


def test_all_that_is_wrong_is_named_at_once() -> None:
    assert faults(port=-1, max_rollouts=0, log_level="x") == {"port", "max_rollouts", "log_level"}


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert Settings(host=host).host == host


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.7", "example.org", "localhost.example.org", "127.0.0.1.example.org", ""]
)
def test_any_other_address_needs_keys_or_the_word_open(host: str) -> None:
    assert faults(host=host) == {""}
    assert faults(host=host, api_keys=" , ,") == {""}
    assert Settings(host=host, open=True).host == host
    assert Settings(host=host, api_keys="a-key-of-16-chars").host == host
    assert Settings(host=host, api_keys_file="keys").host == host


def test_a_short_key_is_taken_where_nobody_can_knock_or_anybody_may_enter() -> None:
    assert Settings(api_keys="k").shortest_key == 1
    assert Settings(host="0.0.0.0", open=True, api_keys="k").shortest_key == 1
    assert Settings(host="0.0.0.0", api_keys_file="keys").shortest_key == 16
    assert faults(host="0.0.0.0", api_keys="0123456789abcde") == {""}


@pytest.mark.parametrize("setting", ["metrics", "docs"])
def test_a_route_behind_the_key_needs_a_key(setting: str) -> None:
    assert faults(**{setting: "key"}) == {""}
    assert faults(**{setting: "key"}, host="0.0.0.0", open=True) == {""}
    assert getattr(Settings(api_keys="k", **{setting: "key"}), setting) == "key"
    assert getattr(Settings(api_keys_file="k", **{setting: "key"}), setting) == "key"
    assert faults(**{setting: "closed"}) == {setting}


def test_keys_are_split_trimmed_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_API_KEYS", " first-key, second-key\n,")
    settings = Settings()
    assert [key.get_secret_value() for key in settings.api_keys] == ["first-key", "second-key"]
    assert "-key" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_an_error_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_API_KEYS", "first-key")
    with pytest.raises(ValidationError) as caught:
        Settings(port=-1, api_keys=["second-key", 3])
    assert "-key" not in str(caught.value)


def test_a_certainty_source_is_set_up_with_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_VLLM_API_KEY", "vllm-key")
    settings = Settings(
        certainty_model="m",
        certainty_revision="r",
        vllm_url="https://vllm:8443/base/",
        vllm_top_k=5,
        certainty_concurrency=3,
        patience=7,
        rollout_certainty=True,
    )
    options = settings.source_options
    assert options == SourceOptions("m", "r", "https://vllm:8443/base", "vllm-key", 5, 3, 7.0, True)
    assert "vllm-key" not in f"{settings!r} {settings.model_dump_json()} {options!r}"


def test_without_any_setting_the_source_has_its_own_defaults() -> None:
    assert Settings().source_options == SourceOptions()
