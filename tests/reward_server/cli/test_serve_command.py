"""`reward-server serve`: every setting is a flag and a `REWARD_…` variable, the flag wins, what is wrong is named."""

import re
import signal
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from reward_server.settings import Settings
from tests import commands
from tests.commands import REWARD_SERVER, Done
from tests.servers import running_server

WRONG_USAGE = 2


class Values(NamedTuple):
    """A value that a setting refuses, and one that it takes."""

    wrong: str
    right: str


CHECKED = {
    "port": Values("65536", "0"),
    "certainty": Values("magic", "none"),
    "vllm_url": Values("127.0.0.1:8000", "https://vllm.example/v"),
    "vllm_top_k": Values("0", "5"),
    "certainty_concurrency": Values("0", "1"),
    "patience": Values("0", "0.5"),
    "max_body_bytes": Values("0", "1000"),
    "max_rollouts": Values("many", "10"),
    "max_field_chars": Values("-1", "10"),
    "max_depth": Values("7", "8"),
    "max_inflight_bytes": Values("0", "1000"),
    "request_seconds": Values("0", "1"),
    "workers": Values("0", "1"),
    "drain_seconds": Values("-0.5", "0.5"),
    "shutdown_seconds": Values("-0.5", "0.5"),
    "log_level": Values("loud", "error"),
    "metrics": Values("closed", "off"),
    "docs": Values("closed", "off"),
}
FREE_TEXT = {
    "host",
    "spec",
    "specs",
    "certainty_model",
    "certainty_revision",
    "vllm_api_key",
    "api_keys",
    "api_keys_file",
    "tls_cert",
    "tls_key",
    "tls_key_password",
    "tls_client_ca",
}
"""Settings that take any text: whether they arrive shows in what the server does."""
SWITCHES = {"open", "rollout_certainty", "require_prompt"}


def flag(setting: str) -> str:
    return f"--{setting.replace('_', '-')}"


def variable(setting: str) -> str:
    return f"REWARD_{setting.upper()}"


def serve(*flags: str, **environment: str) -> Done:
    """`reward-server serve` on a wide terminal, told something that it must refuse."""
    return commands.run(REWARD_SERVER, "serve", *flags, **{"COLUMNS": "200", **environment})


DEFAULTS = {
    "metrics": "open",
    "docs": "open",
    "host": "127.0.0.1",
    "port": "8080",
    "spec": "shop-r1",
    "certainty": "rollout",
    "vllm_url": "http://127.0.0.1:8000",
    "vllm_top_k": "20",
    "certainty_concurrency": "16",
    "patience": "120.0",
    "max_body_bytes": "268435456",
    "max_rollouts": "16384",
    "max_field_chars": "67108864",
    "max_depth": "64",
    "max_inflight_bytes": "536870912",
    "request_seconds": "60.0",
    "workers": "1",
    "drain_seconds": "0.0",
    "shutdown_seconds": "180.0",
    "log_level": "warning",
}


def reason(done: Done) -> str:
    """The error, its frame taken off and its lines joined."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", done.stderr).split())


def test_every_setting_is_in_the_tables_above() -> None:
    assert {*CHECKED, *FREE_TEXT, *SWITCHES} == set(Settings.model_fields)


def test_the_help_names_every_setting_with_its_flag_its_variable_and_its_default() -> None:
    shown = " ".join(re.sub("[│╭╮╰╯─]", " ", serve("--help").stdout).split())
    for name, field in Settings.model_fields.items():
        default = f"; default {DEFAULTS[name]}" if name in DEFAULTS else ""
        assert (name in DEFAULTS) == (field.default not in ((), False, None) or name == "drain_seconds")
        assert re.search(rf" {flag(name)} .*\[{variable(name)}{re.escape(default)}\]", shown), name


def test_every_variable_that_is_wrong_is_named() -> None:
    done = serve(**{variable(name): values.wrong for name, values in CHECKED.items()})
    assert done.returncode == WRONG_USAGE
    assert [name for name in CHECKED if f"{name}: " not in reason(done)] == []


def test_every_flag_that_is_wrong_is_named_and_wins_over_its_variable() -> None:
    flags = [part for name, values in CHECKED.items() for part in (flag(name), values.wrong)]
    done = serve(*flags, **{variable(name): values.right for name, values in CHECKED.items()})
    assert done.returncode == WRONG_USAGE
    assert [name for name in CHECKED if f"{name}: " not in reason(done)] == []


def test_every_flag_that_is_right_wins_over_a_variable_that_is_wrong() -> None:
    flags = [part for name, values in CHECKED.items() for part in (flag(name), values.right)]
    done = serve(
        *flags, "--spec", "the-last-thing-checked", **{variable(name): values.wrong for name, values in CHECKED.items()}
    )
    assert done.returncode == WRONG_USAGE
    assert "no preset 'the-last-thing-checked'" in reason(done)


def test_a_misspelt_variable_is_named() -> None:
    done = serve("--spec", "the-last-thing-checked", REWARD_MAX_DEPHT="9", REWARD_MAX_DEPTH="9")
    assert "WARNING: no setting is called REWARD_MAX_DEPHT: --help names all" in done.stderr


def test_the_variables_alone_configure_a_server() -> None:
    environment = {"SPEC": "binary", "SPECS": "opera, shop-r1", "API_KEYS": "first-key,second-key", "MAX_ROLLOUTS": "1"}
    with running_server(**{f"REWARD_{name}": value for name, value in environment.items()}) as server:
        assert server.get("/specs").status_code == 401
        specs = server.get("/specs", headers={"Authorization": "Bearer second-key"}).json()
        rollouts = [{"completion": "", "label": {"type": "terminate"}}] * 2
        two_at_once = server.post(json={"rollouts": rollouts}, headers={"Authorization": "Bearer first-key"})
    assert specs["default"] == "binary"
    assert [spec["name"] for spec in specs["specs"]] == ["binary", "opera", "shop-r1"]
    assert (two_at_once.status_code, "REWARD_MAX_ROLLOUTS" in two_at_once.text) == (422, True)


def test_the_flags_win_over_the_variables_on_a_running_server() -> None:
    flags = {"host": "127.0.0.1", "spec": "binary", "specs": "customer-r1", "api_keys": "flag-key", "certainty": "none"}
    variables = {"host": "0.0.0.0", "spec": "opera", "specs": "nope", "api_keys": "variable-key", "certainty": "magic"}
    arguments = [part for name, value in flags.items() for part in (flag(name), value)]
    environment = {variable(name): value for name, value in variables.items()}
    with running_server(*arguments, REWARD_PORT="65536", **environment) as server:
        specs = server.get("/specs", headers={"Authorization": "Bearer flag-key"}).json()
        refused = server.get("/specs", headers={"Authorization": "Bearer variable-key"})
        version = server.get("/version", headers={"Authorization": "Bearer flag-key"}).json()
    assert server.url.startswith("http://127.0.0.1:")
    assert [spec["name"] for spec in specs["specs"]] == ["binary", "customer-r1"]
    assert refused.status_code == 401
    assert version["certainty"]["source"] == "none"
    assert "flag-key" not in server.banner


@pytest.mark.parametrize(
    ("flags", "environment", "is_open"),
    [
        ([], {"REWARD_OPEN": "true"}, True),
        (["--no-open"], {"REWARD_OPEN": "true"}, False),
        (["--open"], {"REWARD_OPEN": "false"}, True),
        (["--api-keys", "a-key-of-16-letters"], {}, True),
    ],
)
def test_an_address_that_others_can_reach_needs_keys_or_the_word_open(
    flags: list[str], environment: dict[str, str], is_open: bool
) -> None:
    done = serve("--host", "0.0.0.0", "--spec", "the-last-thing-checked", *flags, **environment)
    assert done.returncode == WRONG_USAGE
    assert ("the-last-thing-checked" if is_open else "reachable from other machines") in reason(done)
    assert "a-key" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--certainty", "none"], ["shop-r1", "shop-r1-no-rationale"]),
        (["--spec", "shop-r1-kl-from-uniform"], ["shop-r1-kl-from-uniform", "kl_from_uniform", "'rollout'"]),
        (["--specs", "opera,nope"], ["no preset 'nope'"]),
    ],
)
def test_a_server_that_could_not_serve_what_it_is_told_to_does_not_start(flags: list[str], named: list[str]) -> None:
    done = serve("--port", "0", *flags)
    assert done.returncode == WRONG_USAGE
    assert [part for part in named if part not in reason(done)] == []


def test_a_spec_that_takes_the_name_of_a_preset_is_refused(tmp_path: Path) -> None:
    spec = tmp_path / "mine.toml"
    spec.write_text('extends = "shop-r1"\nname = "shop-r1"\ndars = 10.0\n')
    done = serve("--port", "0", "--specs", str(spec))
    assert done.returncode == WRONG_USAGE
    assert "'shop-r1' is a preset that scores otherwise; choose another name" in reason(done)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_cannot_be_listened_on_is_told_with_its_settings_and_exits_with_1(workers: str) -> None:
    flags = ("--spec", "binary", "--certainty", "none", "--workers", workers)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        in_use = serve("--port", str(port), *flags)
    nowhere = serve("--host", "nosuch.invalid", "--open", *flags)
    assert (in_use.returncode, nowhere.returncode) == (1, 1)
    said = f"ERROR: cannot listen on host 127.0.0.1 (REWARD_HOST), port {port} (REWARD_PORT): "
    assert "address already in use" in in_use.stderr.partition(said)[2].lower()
    assert "ERROR: cannot listen on host nosuch.invalid (REWARD_HOST), port 8080 (REWARD_PORT): [" in nowhere.stderr
    assert "Traceback" not in in_use.stderr + nowhere.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_exits_with_0(signum: signal.Signals) -> None:
    with running_server("--spec", "binary") as server:
        server.process.send_signal(signum)
        assert server.process.wait(timeout=30) == 0
