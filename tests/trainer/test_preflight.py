"""The check before a run: passes on the right server, and says in a sentence what is wrong with any other."""

import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from threading import Thread

import pytest

from reward_server import __version__
from reward_server.client import TlsFiles
from reward_server.reward.spec import load_preset
from tests.reward_server.service.certificates import Authority
from tests.servers import Server, running_server
from tests.trainer.web_server import VERSION, Answers, ready, web_server
from trainer.openrlhf.checks.server import check_run_servers
from trainer.preflight import Access, PreflightError, ServerFacts, check_servers

SPEC = load_preset("shop-r1-no-rationale")


def check_server(url: str, digest: str | None = None, api_key: str | None = None) -> ServerFacts:
    (facts,) = check_servers([url], digest=digest, access=Access(api_key))
    return facts


def refusal(url: str, digest: str | None = None, api_key: str | None = None) -> str:
    with pytest.raises(PreflightError) as caught:
        check_server(url, digest=digest, api_key=api_key)
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
    assert "asks for an API key that it knows" in said
    assert "wrong-key" not in said


def test_a_missing_key_is_named(locked_server: Server) -> None:
    assert "asks for an API key that it knows: set SHOP_R1_API_KEY, or --api-key" in refusal(locked_server.url)


def test_an_address_without_its_scheme_is_told() -> None:
    assert refusal("127.0.0.1:8080") == "the server's URL 127.0.0.1:8080 does not begin with http://"


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


def test_several_servers_have_to_score_with_one_spec(server: Server, certainty_server: Server) -> None:
    same = f"{certainty_server.url}/score?spec={SPEC.name}"
    assert [facts.digest for facts in check_servers([server.url, same])] == [SPEC.digest] * 2
    with pytest.raises(PreflightError) as caught:
        check_servers([server.url, certainty_server.url])
    for word in (server.url, certainty_server.url, SPEC.digest, load_preset("shop-r1").digest):
        assert word in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_tls_files_that_cannot_be_used_are_named(url: str) -> None:
    with pytest.raises(PreflightError, match=r"^ca_file: "):
        check_servers([url], access=Access(tls=TlsFiles("gone.pem")))


def test_tls_files_are_for_those_of_several_servers_that_have_tls(server: Server, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    signed = authority.sign("server")
    tls = ("--tls-cert", str(signed.cert), "--tls-key", str(signed.key))
    access = Access(tls=TlsFiles(authority.cert))
    with running_server("--spec", SPEC.name, "--certainty", "none", *tls) as safe:
        found = check_servers([server.url, safe.url], access=access)
        run = check_run_servers([server.url, safe.url], SPEC.name, "none", access)
    assert [facts.url for facts in found] == [server.url, safe.url]
    assert run.facts.url == server.url
