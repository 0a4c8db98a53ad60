"""The server of a run: fit for it, or refused in a sentence."""

import json
from typing import Any

import pytest

from reward_server import __version__
from reward_server.reward.spec import load_preset
from tests.servers import Server, running_server
from tests.trainer.web_server import VERSION, ready, web_server
from trainer.openrlhf.agent.settings import CertaintyFrom
from trainer.openrlhf.checks.server import RunServer, check_run_servers
from trainer.preflight import PreflightError


def check_run_server(url: str, spec: str, certainty: CertaintyFrom) -> RunServer:
    return check_run_servers([url], spec, certainty)


def run_refusal(url: str, spec: str, certainty: CertaintyFrom) -> str:
    with pytest.raises(PreflightError) as caught:
        check_run_server(url, spec, certainty)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["shop-r1-no-rationale", "binary", "customer-r1"])
def test_a_run_gets_its_own_spec_and_digest_and_not_the_server_s_default(name: str, server: Server) -> None:
    found = check_run_server(server.url, name, "none")
    assert (found.facts.spec, found.facts.digest) == (name, load_preset(name).digest)
    assert found.spec.action_space == load_preset(name).action_space
    assert found.spec.digest == load_preset(name).digest
    assert found.certainty_model is None


def test_a_run_s_own_log_probabilities_are_taken_where_the_source_is_rollout(certainty_server: Server) -> None:
    assert check_run_server(certainty_server.url, "shop-r1", "rollout").facts.certainty_source == "rollout"


def test_a_server_that_measures_may_also_take_a_run_s_own(certainty_server: Server) -> None:
    with running_server("--certainty", "local", "--rollout-certainty") as local:
        assert check_run_server(local.url, "shop-r1", "rollout").certainty_model is not None
        assert check_run_server(local.url, "shop-r1", "server").facts.certainty_source == "local"
    with running_server("--certainty", "local") as local:
        assert "--rollout-certainty" in run_refusal(local.url, "shop-r1", "rollout")
    assert "it measures no certainty itself" in run_refusal(certainty_server.url, "shop-r1", "server")


def test_a_spec_and_a_run_s_certainty_have_to_fit(certainty_server: Server) -> None:
    assert "set server.certainty to rollout or server" in run_refusal(certainty_server.url, "shop-r1", "none")
    for certainty in ("rollout", "server"):
        assert "set server.certainty to none" in run_refusal(certainty_server.url, "binary", certainty)


def test_a_spec_that_a_server_without_certainty_cannot_serve_is_told_with_the_reason(server: Server) -> None:
    assert "the certainty source is 'none'" in run_refusal(server.url, "shop-r1", "rollout")


def test_a_run_s_spec_that_is_not_loaded_is_told(server: Server) -> None:
    assert "404" in run_refusal(server.url, "a/b", "none")


@pytest.mark.parametrize(
    "detail",
    [
        {"name": "shop-r1", "digest": "sha256:00", "spec": {}},
        {"name": "shop-r1", "digest": "sha256:00"},
        {"name": "shop-r1", "digest": "sha256:00", "spec": load_preset("shop-r1").canonical()},
    ],
    ids=["no spec", "nothing", "another digest"],
)
def test_a_server_of_another_version_is_told_by_what_it_says_of_a_spec(detail: object) -> None:
    answers = {**ready(VERSION), "/specs/shop-r1": (200, json.dumps(detail).encode())}
    with web_server(answers) as url:
        assert f"its version is 9.9, and this is {__version__}" in run_refusal(url, "shop-r1", "none")


def test_several_servers_have_to_reward_alike(server: Server, certainty_server: Server) -> None:
    alike = check_run_servers([server.url, certainty_server.url], "shop-r1-no-rationale", "none")
    assert alike.facts.url == server.url


def described(source: str, model: str | None) -> Any:
    """A server that scores with shop-r1, and whose certainty is as said."""
    spec = load_preset("shop-r1")
    told = {"name": spec.name, "digest": spec.digest}
    certainty = {"source": source, "takes_rollouts": False, "model": model}
    version = {"server_version": __version__, "spec": told, "certainty": certainty}
    detail = {**told, "spec": spec.canonical()}
    return web_server(ready(version) | {"/specs/shop-r1": (200, json.dumps(detail).encode())})


def test_servers_that_measure_have_the_same_source_and_model() -> None:
    with described("local", "a") as first, described("vllm", "a") as second, described("local", "b") as third:
        with pytest.raises(PreflightError, match=r"takes certainty from the source local, but .* from vllm"):
            check_run_servers([first, second], "shop-r1", "server")
        with pytest.raises(PreflightError, match=r"measures the certainty of a, but .* that of b"):
            check_run_servers([first, third], "shop-r1", "server")
        with described("local", None) as silent:
            assert check_run_servers([silent, first], "shop-r1", "server").certainty_model == "a"
