"""The check before a run: passes on the right server, and says in a sentence what is wrong with any other."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from reward_server import __version__
from reward_server.reward.spec import load_preset
from tests.servers import Server, running_server
from trainer.openrlhf.agent.settings import CertaintyFrom
from trainer.preflight import PreflightError, check_run_server, check_server

SPEC = load_preset("shop-r1-no-rationale")
VERSION = {
    "server_version": "9.9",
    "spec": {"name": "shop-r1", "digest": "sha256:00"},
    "certainty": {"source": "none", "kind": None},
}
Answers = Mapping[str, tuple[int, bytes]]


def refusal(url: str, digest: str | None = None, api_key: str | None = None) -> str:
    with pytest.raises(PreflightError) as caught:
        check_server(url, digest=digest, api_key=api_key)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def web_server(answers: Answers) -> Iterator[str]:
    """A web server with these answers by path; 404 for any other."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b"no such page"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def locked_server() -> Iterator[Server]:
    with running_server("--spec", SPEC.name, "--certainty", "none", "--api-keys", "first-key,the-key") as server:
        yield server


@pytest.mark.parametrize("address", ["{}", "{}/"])
def test_a_server_that_is_ready_says_what_it_is(address: str, server: Server) -> None:
    url = address.format(server.url)
    facts = check_server(url, digest=SPEC.digest)
    assert facts == (server.url, __version__, SPEC.name, SPEC.digest, "none")


def test_the_certainty_source_is_told(certainty_server: Server) -> None:
    assert check_server(certainty_server.url).certainty_source == "rollout"


@pytest.mark.parametrize("digest", [load_preset("shop-r1").digest, SPEC.digest[:19], ""])
def test_another_digest_is_refused_with_both(digest: str, server: Server) -> None:
    said = refusal(server.url, digest=digest)
    assert [part for part in (SPEC.name, SPEC.digest, digest) if part not in said] == []


def test_the_right_key_opens_a_locked_server(locked_server: Server) -> None:
    assert check_server(locked_server.url, api_key="the-key").spec == SPEC.name


def test_a_key_in_the_address_opens_it_too_and_is_not_repeated(locked_server: Server) -> None:
    facts = check_server(locked_server.url.replace("://", "://run:the-key@"))
    assert facts.spec == SPEC.name
    assert "the-key" not in facts.url


@pytest.mark.parametrize("key", ["secret", "the-key-secret", "secret\n", "secret-€"])
def test_a_wrong_key_is_refused_and_not_repeated(key: str, locked_server: Server) -> None:
    said = refusal(locked_server.url, api_key=key)
    assert "key" in said
    assert "secret" not in said


def test_a_wrong_key_in_the_address_is_not_repeated(locked_server: Server) -> None:
    said = refusal(locked_server.url.replace("://", "://run:wrong-key@"))
    assert "401" in said
    assert "wrong-key" not in said


def test_a_missing_key_is_named(locked_server: Server) -> None:
    assert "401" in refusal(locked_server.url)
    assert "no API key" in refusal(locked_server.url)


def test_a_server_that_is_shutting_down_is_not_ready() -> None:
    with running_server("--spec", "binary", "--drain-seconds", "60") as server:
        server.process.terminate()
        while server.get("/readyz").is_success:
            pass
        said = refusal(server.url)
    assert "503" in said
    assert "shutting down" in said


def test_a_port_that_nobody_listens_on_cannot_be_reached() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said = refusal(url)
    assert said.startswith(f"{url} cannot be reached: ")


def test_a_server_that_hangs_up_cannot_be_reached() -> None:
    def hang_up() -> None:
        connection, _ = listener.accept()
        connection.recv(10_000)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=hang_up)
        thread.start()
        said = refusal(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()
    assert "cannot be reached: " in said


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "localhost",
        "ftp://127.0.0.1",
        "http://",
        "http://[::1",
        "http://127.0.0.1:port",
        "",
        "http://a b",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert refusal(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_hears_the_key_of_a_loopback_server(
    host: str, locked_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with web_server({}) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        url = locked_server.url.replace("127.0.0.1", host)
        assert check_server(url, api_key="the-key").spec == SPEC.name


@pytest.mark.parametrize("path", ["/score", "/get_reward", "/", "/score?spec=binary"])
def test_the_address_that_a_trainer_is_told_will_do(server: Server, path: str) -> None:
    assert check_server(server.url + path).url == server.url


def test_an_address_with_another_path_is_told_what_was_asked_for(server: Server) -> None:
    assert "/rewards/readyz" in refusal(f"{server.url}/rewards")


def ready(version: object) -> Answers:
    return {"/readyz": (200, b"{}"), "/version": (200, json.dumps(version).encode())}


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/readyz": (200, b"<html>Welcome!</html>")},
        {"/readyz": (200, b"\xff")},
        {"/readyz": (302, b"{}")},
        {"/readyz": (500, b'["no problem object"]')},
        {"/readyz": (200, b"{}"), "/version": (404, b"{}")},
        *map(ready, (None, [], "1.0", {}, {**VERSION, "spec": "shop-r1"}, {**VERSION, "certainty": None})),
        *map(ready, ({**VERSION, "server_version": 1}, {**VERSION, "spec": {"name": None, "digest": None}})),
    ],
    ids=repr,
)
def test_a_server_of_another_kind_is_refused(answers: Answers) -> None:
    with web_server(answers) as url:
        assert url in refusal(url)


def test_a_server_of_this_kind_is_known_by_its_answers() -> None:
    with web_server(ready(VERSION)) as url:
        assert check_server(url) == (url, "9.9", "shop-r1", "sha256:00", "none")


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS])
def test_the_servers_own_words_are_passed_on(status: HTTPStatus) -> None:
    with web_server({"/readyz": (status, b'{"detail": "come back at noon"}')}) as url:
        said = refusal(url)
    assert str(status.value) in said
    assert "come back at noon" in said


def test_the_spec_and_the_digest_in_a_trainer_s_url_are_checked(server: Server) -> None:
    binary = load_preset("binary").digest
    assert check_server(f"{server.url}/score?spec=binary&digest={binary}&run=mine").digest == binary
    assert check_server(f"{server.url}/score?spec=binary", digest=binary).spec == "binary"
    assert "404" in refusal(f"{server.url}/score?spec=nonexistent")
    assert "sha256:00" in refusal(f"{server.url}/score?digest=sha256:00")
    assert binary in refusal(f"{server.url}/score?spec=binary", digest=SPEC.digest)


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
