"""The client and servers with TLS: it trusts whom it is told to trust, and shows a certificate where it has one."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import CERT_NONE, CERT_REQUIRED, PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest

from reward_server import wire
from reward_server.client import (
    ClientOptions,
    RewardClient,
    RewardError,
    RewardUnavailable,
    ServerUntrusted,
    TlsFiles,
)
from reward_server.client import servers as servers_module
from reward_server.reward.spec import load_preset
from tests.reward_server.certainty.faulty_vllm import status
from tests.reward_server.client.faulty_server import SCORE, FaultyServer, running_faulty_server
from tests.reward_server.client.support import RIGHT, failure, rewards, right, score, with_client

DIGEST = load_preset("shop-r1-no-rationale").digest


def openssl(*arguments: str | Path, folder: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of an authority of our own, for a server at 127.0.0.1 and for a client, and a stranger's."""
    folder = tmp_path_factory.mktemp("certificates")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    for name in ("ca", "stranger"):
        openssl(
            "req", "-x509", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", "/CN=x", folder=folder
        )
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE")
    of_here = ("-addext", "subjectAltName=IP:127.0.0.1")
    for name, more in (("server", of_here), ("client", ())):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
        openssl("req", "-x509", *new_key, *files, *signed, *more, folder=folder)
    openssl("req", "-new", "-key", "server.key", "-subj", "/CN=x", *of_here, "-out", "server.csr", folder=folder)
    ended = ("-days", "0", "-copy_extensions", "copy", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", "server.csr", *ended, "-out", "expired.pem", folder=folder)
    openssl("ec", "-in", "client.key", "-aes128", "-passout", "pass:hush", "-out", "locked.key", folder=folder)
    (folder / "both.pem").write_text((folder / "client.pem").read_text() + (folder / "client.key").read_text())
    (folder / "empty.pem").touch()
    return folder


def load(context: SSLContext, folder: Path, name: str) -> None:
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{'server' if name == 'expired' else name}.key")


@contextmanager
def running_tls_server(folder: Path, *, asks: bool = False, name: str = "server") -> Iterator[FaultyServer]:
    """One that has the certificate of this name, and `asks` for one."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    load(context, folder, name)
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = CERT_REQUIRED if asks else CERT_NONE
    with running_faulty_server() as server:
        server.listener = context.wrap_socket(server.listener, server_side=True, do_handshake_on_connect=False)
        yield server


def secure(server: FaultyServer) -> str:
    return server.url.replace("http:", "https:")


def test_a_server_is_trusted_by_its_authority_and_by_no_other(folder: Path) -> None:
    with running_tls_server(folder) as server:
        assert score(secure(server), right(), tls=TlsFiles(folder / "ca.pem")).rewards == [RIGHT]
        for files in (TlsFiles(), TlsFiles(folder / "stranger.pem")):
            assert type(failure(secure(server), tls=files)) is ServerUntrusted


@pytest.mark.parametrize(
    ("name", "reason"),
    [("stranger", "self-signed certificate"), ("expired", "certificate has expired"), ("client", "not valid for")],
)
def test_a_certificate_that_is_not_trusted_is_told_at_once(folder: Path, name: str, reason: str) -> None:
    with running_tls_server(folder, name=name) as server:
        error = failure(secure(server), tls=TlsFiles(folder / "ca.pem"))
    assert type(error) is ServerUntrusted
    assert f"{secure(server)}/score: its certificate is not trusted: " in str(error)
    assert reason in str(error)
    assert "ca_file" in str(error)
    assert server.count(SCORE) == 0


def test_of_several_servers_those_that_are_trusted_are_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers_module, "_LONGEST_REST", 0.1)
    with running_tls_server(folder, name="stranger") as stranger, running_tls_server(folder) as server:
        server.script(SCORE, *[status(500)] * 3)

        async def one_by_one(client: RewardClient) -> list[float]:
            return rewards([await client.score([right()]) for _ in range(10)])

        options = {"digest": DIGEST, "tls": TlsFiles(folder / "ca.pem")}
        assert with_client([secure(stranger), secure(server)], one_by_one, **options) == [RIGHT] * 10
        assert stranger.count(SCORE) == 0


def test_where_no_server_is_trusted_each_batch_is_told_at_once_with_all_of_them(folder: Path) -> None:
    with running_tls_server(folder, name="stranger") as one, running_tls_server(folder, name="expired") as two:

        async def all_at_once(client: RewardClient) -> list[wire.ScoreResponse | BaseException]:
            return await asyncio.gather(*(client.score([right()]) for _ in range(20)), return_exceptions=True)

        options = {"digest": DIGEST, "tls": TlsFiles(folder / "ca.pem")}
        outcomes = with_client([secure(one), secure(two)], all_at_once, **options)
    assert {type(outcome) for outcome in outcomes} == {ServerUntrusted}
    for server, reason in ((one, "self-signed certificate"), (two, "certificate has expired")):
        told = f"{secure(server)}/score: its certificate is not trusted: {reason}"
        assert all(told in str(outcome) for outcome in outcomes)


def test_a_server_is_trusted_again_once_its_certificate_is_renewed(folder: Path) -> None:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    load(context, folder, "expired")

    async def renew(client: RewardClient) -> list[float]:
        with pytest.raises(ServerUntrusted):
            await client.score([right()])
        load(context, folder, "server")
        return (await client.score([right()])).rewards

    with running_faulty_server() as server:
        server.listener = context.wrap_socket(server.listener, server_side=True, do_handshake_on_connect=False)
        assert with_client(secure(server), renew, tls=TlsFiles(folder / "ca.pem")) == [RIGHT]


@pytest.mark.parametrize("names", [("client.pem", "client.key"), ("both.pem",)], ids=["two files", "one file"])
def test_a_server_that_asks_who_asks_is_shown_a_certificate(folder: Path, names: tuple[str, ...]) -> None:
    with running_tls_server(folder, asks=True) as server:
        shown = TlsFiles(folder / "ca.pem", *(folder / name for name in names))
        assert score(secure(server), right(), tls=shown).rewards == [RIGHT]
        assert type(failure(secure(server), tls=TlsFiles(folder / "ca.pem"), patience=1)) is RewardUnavailable


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("ca_file", {"ca_file": "gone.pem"}),
        ("ca_file", {"ca_file": "empty.pem"}),
        ("certificate, key", {"certificate": "gone.pem"}),
        ("certificate, key", {"certificate": "client.pem"}),
        ("certificate, key", {"certificate": "client.pem", "key": "server.key"}),
        ("certificate, key", {"certificate": "client.pem", "key": "locked.key"}),
        ("key", {"key": "client.key"}),
    ],
)
def test_files_that_cannot_be_used_are_named(folder: Path, field: str, names: dict[str, str]) -> None:
    files = TlsFiles(**{name: folder / file for name, file in names.items()})
    with pytest.raises(RewardError, match=f"^{field}: "):
        RewardClient(ClientOptions("https://127.0.0.1", tls=files))


@pytest.mark.parametrize("field", ["ca_file", "certificate", "key"])
def test_files_for_a_server_without_tls_are_refused(field: str) -> None:
    with pytest.raises(RewardError, match=f"{field}: no server's URL begins with https://"):
        RewardClient(ClientOptions("http://127.0.0.1", tls=TlsFiles(**{field: "x.pem"})))


@pytest.mark.parametrize("field", ["ca_file", "certificate", "key"])
def test_what_is_no_path_is_refused(field: str) -> None:
    files: Any = {field: 17}
    with pytest.raises(RewardError, match=f"{field} has to be the path of a file, not of type int"):
        RewardClient(ClientOptions("https://127.0.0.1", tls=TlsFiles(**files)))
