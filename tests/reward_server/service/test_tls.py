"""HTTPS with real certificates: who can talk to the server, and what stops it from starting."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.reward_server.service.certificates import Authority, Certificate, encrypted
from tests.reward_server.service.support import PLAIN, batch, failed_start, rollout
from tests.servers import Server, running_server

PASSWORD = "hush-hush-hush"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def own(authority: Authority) -> Certificate:
    """The server's certificate."""
    return authority.sign("server")


@pytest.fixture(scope="module")
def encrypting(own: Certificate) -> Iterator[Server]:
    with running_server(*PLAIN, **files(own)) as server:
        yield server


@pytest.fixture(scope="module")
def mutual(own: Certificate, authority: Authority) -> Iterator[Server]:
    """A server that asks clients for a certificate."""
    with running_server(*PLAIN, **files(own), REWARD_TLS_CLIENT_CA=str(authority.cert)) as server:
        yield server


def files(own: Certificate) -> dict[str, str]:
    return {"REWARD_TLS_CERT": str(own.cert), "REWARD_TLS_KEY": str(own.key)}


def trusting(authority: Authority, client: Certificate | None = None) -> ssl.SSLContext:
    """A client's context that trusts one authority only."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    return context


def rewards(server: Server, context: ssl.SSLContext) -> object:
    response = httpx.post(f"{server.url}/score", json=batch(rollout()), verify=context, trust_env=False)
    return response.json()["rewards"]


def test_a_server_with_a_certificate_scores_over_https_alone(encrypting: Server, authority: Authority) -> None:
    assert encrypting.url.startswith("https://127.0.0.1:")
    assert rewards(encrypting, trusting(authority)) == [0.8]
    with pytest.raises(httpx.TransportError):
        httpx.get(encrypting.url.replace("https", "http") + "/healthz", trust_env=False)


def test_a_client_that_trusts_another_authority_turns_away(encrypting: Server, tmp_path: Path) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        rewards(encrypting, trusting(Authority(tmp_path / "theirs")))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # which is what naming these versions is
@pytest.mark.parametrize(
    ("version", "is_spoken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
def test_tls_1_2_is_the_oldest_spoken(
    encrypting: Server, authority: Authority, version: ssl.TLSVersion, is_spoken: bool
) -> None:
    context = trusting(authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # without it this client would not speak 1.1 itself
    context.minimum_version = context.maximum_version = version
    if is_spoken:
        assert rewards(encrypting, context) == [0.8]
    else:
        with pytest.raises(httpx.ConnectError, match="SSL"):
            rewards(encrypting, context)


def test_the_command_of_the_banner_scores_over_https(encrypting: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("runs the curl command of the banner")
    command = encrypting.banner[encrypting.banner.index("curl ") :].replace("--cacert", "--noproxy '*' --cacert")
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert '"rewards":[1001.0]' in ended.stdout, ended.stderr


def test_with_a_client_authority_only_its_clients_are_served(
    mutual: Server, authority: Authority, tmp_path: Path
) -> None:
    assert rewards(mutual, trusting(authority, authority.sign("client"))) == [0.8]
    for stranger in (None, Authority(tmp_path / "theirs").sign("client")):
        with pytest.raises(httpx.TransportError):
            rewards(mutual, trusting(authority, stranger))
    assert "--cert" in mutual.banner


def test_a_key_under_a_password_is_opened_with_it(own: Certificate, authority: Authority) -> None:
    settings = files(own) | {"REWARD_TLS_KEY": str(encrypted(own.key, PASSWORD)), "REWARD_TLS_KEY_PASSWORD": PASSWORD}
    with running_server(*PLAIN, **settings) as server:
        assert rewards(server, trusting(authority)) == [0.8]
        assert PASSWORD not in server.banner


@pytest.mark.parametrize(
    ("changes", "setting", "reason"),
    [
        ({"REWARD_TLS_CERT": "missing.pem"}, "REWARD_TLS_CERT", "No such file"),
        ({"REWARD_TLS_KEY": "missing.key"}, "REWARD_TLS_KEY", "No such file"),
        ({"REWARD_TLS_CLIENT_CA": "missing.pem"}, "REWARD_TLS_CLIENT_CA", "No such file"),
        ({"REWARD_TLS_CERT": "."}, "REWARD_TLS_CERT", "Is a directory"),
        ({"REWARD_TLS_CERT": "junk"}, "REWARD_TLS_CERT", "holds no certificate"),
        ({"REWARD_TLS_CLIENT_CA": "junk"}, "REWARD_TLS_CLIENT_CA", "holds no certificate"),
        ({"REWARD_TLS_KEY": "junk"}, "REWARD_TLS_KEY", "holds no private key"),
        ({"REWARD_TLS_KEY": "other.key"}, "REWARD_TLS_KEY", "not the key of"),
        ({"REWARD_TLS_KEY": "server.encrypted"}, "REWARD_TLS_KEY", "REWARD_TLS_KEY_PASSWORD is missing"),
        (
            {"REWARD_TLS_KEY": "server.encrypted", "REWARD_TLS_KEY_PASSWORD": "hush"},
            "REWARD_TLS_KEY",
            "REWARD_TLS_KEY_PASSWORD is wrong",
        ),
        ({"REWARD_TLS_KEY": ""}, "REWARD_TLS_KEY", "go together"),
        ({"REWARD_TLS_CERT": "", "REWARD_TLS_KEY": "", "REWARD_TLS_CLIENT_CA": "x"}, "REWARD_TLS_CLIENT_CA", "need"),
    ],
)
def test_what_is_wrong_with_certificates_stops_the_start_and_is_named(
    own: Certificate, authority: Authority, changes: dict[str, str], setting: str, reason: str
) -> None:
    (authority.folder / "junk").write_text("-----BEGIN NOTHING-----\n")
    authority.sign("other")
    encrypted(own.key, PASSWORD)
    paths = {
        name: os.fspath(authority.folder / value) if value and "PASSWORD" not in name else value
        for name, value in changes.items()
    }
    status, message = failed_start(*PLAIN, **{**files(own), **paths})
    assert status == 2
    assert setting in message
    assert reason in message
    assert "hush" not in message
