"""API keys: who is let in, who is not, and that a key never leaves by a log, an error or an answer."""

import base64
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.commands import clean_environment
from tests.reward_server.service.support import (
    PLAIN,
    assert_refused,
    batch,
    failed_start,
    rollout,
    status_before_the_body,
)
from tests.servers import COMMAND, Server, running_server

KEYS = ("first-key", "second:key", "schlüssel")
SECRET = "d0-not-te11-any0ne"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server with several keys."""
    with running_server(*PLAIN, REWARD_API_KEYS=" , ".join(KEYS)) as running:
        yield running


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def score(server: Server, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    return server.post(json=batch(rollout()), headers=headers)


@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_let_in_as_a_bearer(guarded: Server, key: str) -> None:
    response = score(guarded, f"Bearer {key}")
    assert response.status_code == 200, response.text
    assert response.json()["rewards"] == [0.8]


@pytest.mark.parametrize("authorization", ["bearer first-key", "BEARER   first-key", "bASIC cnVuOmZpcnN0LWtleQ=="])
def test_the_case_of_the_scheme_does_not_matter(guarded: Server, authorization: str) -> None:
    assert score(guarded, authorization).json()["rewards"] == [0.8]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("user", ["run", "", "lauf-ü"])
def test_each_key_is_let_in_as_a_basic_password_whatever_the_user(guarded: Server, user: str, key: str) -> None:
    response = score(guarded, basic(user, key))
    assert response.status_code == 200, response.text


def test_a_key_may_stand_in_the_url_which_is_all_that_openrlhf_can_send(guarded: Server) -> None:
    url = guarded.url.replace("http://", "http://run7:first-key@")
    assert httpx.post(f"{url}/score", json=batch(rollout())).json()["rewards"] == [0.8]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "first-key",
        "Bearer first-ke",
        "Bearer first-key2",
        "Bearer FIRST-KEY",
        "Bearer first-key,second:key",
        "Bearer first-key , second:key , schlüssel",
        "Bearer " + base64.b64encode(b"run:first-key").decode(),
        "Digest first-key",
        "Basic first-key",
        "Basic !!!",
        "Basic " + base64.b64encode(b"first-key").decode(),
        "Basic " + base64.b64encode(b"run:\xff").decode(),
        basic("first-key", ""),
        basic("run", ""),
        basic("run", "key"),
    ],
)
def test_a_wrong_or_missing_key_is_answered_401(guarded: Server, authorization: str | None) -> None:
    response = score(guarded, authorization)
    detail = assert_refused(response, 401, "unauthorized", "Authorization:")["detail"]
    assert "Bearer" in response.headers["www-authenticate"]
    assert "Basic" in response.headers["www-authenticate"]
    assert ("no API key" in detail) is (authorization is None)


@pytest.mark.parametrize("path", ["/version", "/specs", "/specs/shop-r1-no-rationale", "/specs/nope"])
def test_what_scores_is_told_to_nobody_without_a_key(guarded: Server, path: str) -> None:
    assert_refused(guarded.get(path), 401, "unauthorized", "Authorization:")
    assert guarded.get(path, headers={"Authorization": "Bearer first-key"}).status_code in (200, 404)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_probes_metrics_and_the_api_document_need_no_key(guarded: Server, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("query", ["?spec=nope", "?digest=sha256:0"])
def test_a_stranger_learns_nothing_of_the_specs_from_other_refusals(guarded: Server, query: str) -> None:
    assert guarded.post(f"/score{query}", content=b"not JSON").status_code == 401


def test_a_stranger_is_refused_before_the_body_comes(guarded: Server) -> None:
    assert status_before_the_body(guarded, Content_Length="1000000") == 401


@pytest.mark.parametrize("authorizations", [("first-key", "first-key"), ("first-key", "nope"), ("nope", "first-key")])
def test_several_headers_are_refused_for_a_proxy_may_have_read_another(
    guarded: Server, authorizations: tuple[str, ...]
) -> None:
    headers = [("Authorization", f"Bearer {key}") for key in authorizations]
    response = guarded.post(json=batch(rollout()), headers=headers)
    assert "more than once" in assert_refused(response, 401, "unauthorized", "Authorization:")["detail"]


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Unheard-of"])
def test_a_header_of_60_kilobytes_is_a_wrong_key_like_any_other(guarded: Server, scheme: str) -> None:
    assert score(guarded, f"{scheme} {'k' * 60_000}").status_code == 401
    assert score(guarded, "Bearer first-key").status_code == 200


def test_without_keys_any_request_is_served_and_any_header_ignored(server: Server) -> None:
    for authorization in (None, "Bearer whatever", "Basic !!!"):
        assert score(server, authorization).json()["rewards"] == [0.8]


def test_a_key_is_neither_logged_nor_echoed() -> None:
    flags = [*PLAIN, "--port", "0", "--log-level", "debug", "--api-keys", f"other,{SECRET}"]
    with subprocess.Popen(
        [*COMMAND, "serve", *flags],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        log = ""
        while "curl" not in log:
            line = process.stdout.readline()
            assert line, log
            log += line
        url = log.partition("curl -s ")[2].partition("/score")[0]
        answers = []
        for authorization in (f"Bearer {SECRET}", f"Bearer {SECRET}x", basic("run", SECRET), f"Basic {SECRET}"):
            for path in ("/score", "/score?spec=nope", "/score?digest=0", "/nope"):
                with httpx.Client(headers={"Authorization": authorization}) as client:
                    answers.append(client.post(url + path, json=batch(rollout())))
        answers += [httpx.get(f"{url}{path}") for path in ("/metrics", "/openapi.json", "/version")]
        process.terminate()
        log += process.stdout.read()
    assert "POST /score" in log, "the log at this level names each request"
    assert {answer.status_code for answer in answers} == {200, 401, 404, 412}
    assert SECRET not in log
    assert base64.b64encode(f"run:{SECRET}".encode()).decode() not in log
    assert not [answer for answer in answers if SECRET in f"{answer.headers}{answer.text}"]


@pytest.mark.parametrize(
    "flags", [("--port", "99999"), ("--host", "0.0.0.0", "--spec", "nope"), ("--drain-seconds", "x")]
)
def test_a_server_that_does_not_start_does_not_show_its_keys(flags: tuple[str, ...]) -> None:
    status, message = failed_start(*flags, REWARD_API_KEYS=SECRET)
    assert status == 2
    assert SECRET not in message


@pytest.mark.parametrize(
    ("host", "keys"), [("0.0.0.0", None), ("::", None), ("192.0.2.1", ""), ("reward.example", None), ("0.0.0.0", " , ")]
)
def test_a_host_that_others_can_reach_is_refused_without_keys(host: str, keys: str | None) -> None:
    environment = {} if keys is None else {"REWARD_API_KEYS": keys}
    status, message = failed_start("--host", host, **environment)
    assert status == 2
    assert host in message
    assert "REWARD_API_KEYS" in message
    assert "--open" in message


@pytest.mark.parametrize("keys", ["15-characters--", f"{SECRET},k"])
def test_a_key_that_could_be_guessed_is_refused_where_others_can_knock(keys: str) -> None:
    status, message = failed_start("--host", "0.0.0.0", REWARD_API_KEYS=keys)
    assert status == 2
    assert f"key {keys.count(',') + 1} of REWARD_API_KEYS" in message
    assert "16" in message
    assert keys not in message


def test_a_host_that_others_can_reach_is_served_with_open() -> None:
    with running_server(*PLAIN, "--host", "0.0.0.0", "--open") as server:
        assert score(server, None).json()["rewards"] == [0.8]


def test_a_host_that_others_can_reach_is_served_with_keys() -> None:
    with running_server(*PLAIN, "--host", "0.0.0.0", "--api-keys", SECRET) as server:
        assert score(server, None).status_code == 401
        assert score(server, f"Bearer {SECRET}").json()["rewards"] == [0.8]
