"""The client and servers with TLS: it trusts whom it is told to trust, and shows a certificate where it has one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from ssl import CERT_NONE, CERT_REQUIRED, PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest

from reward_server.client import ClientOptions, RewardClient, RewardError, RewardUnavailable, TlsFiles
from tests.reward_server.client.faulty_server import FaultyServer, running_faulty_server
from tests.reward_server.client.support import RIGHT, failure, right, score


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
    for name, more in (("server", ("-addext", "subjectAltName=IP:127.0.0.1")), ("client", ())):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
        openssl("req", "-x509", *new_key, *files, *signed, *more, folder=folder)
    openssl("ec", "-in", "client.key", "-aes128", "-passout", "pass:hush", "-out", "locked.key", folder=folder)
    (folder / "both.pem").write_text((folder / "client.pem").read_text() + (folder / "client.key").read_text())
    (folder / "empty.pem").touch()
    return folder


@contextmanager
def running_tls_server(folder: Path, *, asks: bool) -> Iterator[FaultyServer]:
    """One that has a certificate, and `asks` for one."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = CERT_REQUIRED if asks else CERT_NONE
    with running_faulty_server() as server:
        server.listener = context.wrap_socket(server.listener, server_side=True, do_handshake_on_connect=False)
        yield server


def secure(server: FaultyServer) -> str:
    return server.url.replace("http:", "https:")


def test_a_server_is_trusted_by_its_authority_and_by_no_other(folder: Path) -> None:
    with running_tls_server(folder, asks=False) as server:
        assert score(secure(server), right(), tls=TlsFiles(folder / "ca.pem")).rewards == [RIGHT]
        for files in (TlsFiles(), TlsFiles(folder / "stranger.pem")):
            error = failure(secure(server), tls=files, patience=1)
            assert type(error) is RewardUnavailable
            assert "CERTIFICATE_VERIFY_FAILED" in str(error)


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
