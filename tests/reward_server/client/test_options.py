"""Options that cannot work are refused before anything is sent, and no key is shown on the way."""

from typing import Any

import pytest

from reward_server.client import ClientOptions, RewardClient, RewardError
from tests.reward_server.certainty.faulty_vllm import free_port, status
from tests.reward_server.client.faulty_server import SCORE, running_faulty_server
from tests.reward_server.client.support import RIGHT, failure, right, score

URL = "http://127.0.0.1:8080"


def refusal(url: str = URL, **options: Any) -> str:
    with pytest.raises(RewardError) as caught:
        RewardClient(ClientOptions(url, **options))
    assert type(caught.value) is RewardError
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "127.0.0.1:8080",
        "ftp://127.0.0.1",
        "http://",
        "http://[::1",
        "http://127.0.0.1:port",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://\ud800",
        "http://127.0.0.1\n",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert refusal(url).startswith("url: ")


@pytest.mark.parametrize(
    "url",
    ["http://run:sec/ret@127.0.0.1", "run:secret@127.0.0.1", "http://run:sec\nret@127.0.0.1", "ftp://run:sec@ret@h"],
)
def test_a_key_in_an_address_that_is_none_is_not_shown(url: str) -> None:
    for shown in (refusal(url), repr(ClientOptions(url))):
        assert "sec" not in shown
        assert "ret" not in shown


@pytest.mark.parametrize("key", ["secret\nkey", "secret ", "\x00secret"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    said = refusal(api_key=key)
    assert "api_key" in said
    assert "secret" not in said + repr(ClientOptions(URL, api_key=key))


@pytest.mark.parametrize("value", [" a", "a\nb", "caf\u00e9", "\ud800"])
@pytest.mark.parametrize("name", ["digest", "run", "spec"])
def test_a_name_that_no_header_can_carry_is_refused(name: str, value: str) -> None:
    assert refusal(**{name: value}).startswith(f"{name} ")


@pytest.mark.parametrize("options", [{"patience": 0}, {"patience": float("nan")}, {"connections": 0}], ids=str)
def test_no_patience_and_no_connections_are_refused(options: dict[str, Any]) -> None:
    assert next(iter(options)) in refusal(**options)


@pytest.mark.parametrize("url", [None, 8080, b"http://127.0.0.1", [None], ["http://127.0.0.1", 17], {}], ids=repr)
def test_an_address_that_is_no_text_is_refused(url: Any) -> None:
    assert refusal(url) == "url has to be a text, or a list of texts"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"api_key": 17171717}, "int"),
        ({"api_key": b"secret"}, "bytes"),
        ({"digest": 1}, "int"),
        ({"run": ["a"]}, "list"),
        ({"spec": 1.5}, "float"),
        ({"patience": "10"}, "str"),
        ({"patience": None}, "NoneType"),
        ({"connections": 2.5}, "float"),
        ({"tls": None}, "NoneType"),
        ({"tls": "ca.pem"}, "str"),
    ],
    ids=str,
)
def test_an_option_of_another_type_is_refused_by_its_name(options: dict[str, Any], kind: str) -> None:
    (name,) = options
    said = refusal(**options)
    assert said.startswith(f"{name} has to be ")
    assert said.endswith(f", not of type {kind}")
    assert not any(secret in said for secret in ("17171717", "secret"))


@pytest.mark.parametrize("name", ["digest", "run", "spec"])
def test_options_that_contradict_the_url_are_refused_with_both(name: str) -> None:
    said = refusal(f"{URL}/score?{name}=one", **{name: "two"})
    assert all(word in said for word in (name, "'one'", "'two'"))
    RewardClient(ClientOptions(f"{URL}/score?{name}=one", **{name: "one"}))


def proxied(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy)


def test_a_proxy_of_the_environment_is_asked_for_servers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_faulty_server() as proxy:
        proxied(monkeypatch, proxy.url)
        assert score("http://rewards.invalid/score", right(), patience=20).rewards == [RIGHT]
        assert proxy.count("POST http://rewards.invalid/score") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_stands_between_neighbours(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_faulty_server() as server:
        proxied(monkeypatch, f"http://127.0.0.1:{free_port()}")
        assert score(f"http://{host}:{server.port}", right(), patience=20).rewards == [RIGHT]


def test_a_proxy_that_cannot_be_used_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    proxied(monkeypatch, "gopher://127.0.0.1")
    assert "gopher" in refusal("http://rewards.invalid")


@pytest.mark.parametrize("code", [422, 500])
def test_a_key_that_the_server_repeats_is_not_shown(code: int) -> None:
    """Nor is a part of it, where a long text is cut; cnV… is run:secret-key as Basic authentication has it."""
    problem = {"title": "Oh", "detail": f"{'x' * 495}secret-key", "errors": [{"detail": "cnVuOnNlY3JldC1rZXk="}]}
    with running_faulty_server() as server:
        server.always(SCORE, status(code, problem))
        for error in (
            failure(server.url, api_key="secret-key", patience=0.5),
            failure(server.url.replace("://", "://run:secret-key@"), patience=0.5),
        ):
            assert f"Oh ({code}): xxx" in str(error)
            assert "secr" not in str(error)
    assert "cnVu" not in str(error)
