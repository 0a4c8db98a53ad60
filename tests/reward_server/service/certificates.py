"""Certificates for tests, made by the `openssl` program: an authority, and what it has signed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, as PEM files."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.cert, self._key = folder / "ca.pem", folder / "ca.key"
        _openssl("req", "-x509", *_new_key(self._key), "-subj", "/CN=authority", "-days", "2", "-out", str(self.cert))

    def sign(self, name: str, alternative: str = "IP:127.0.0.1") -> Certificate:
        """A certificate of that name, for that address."""
        signed = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request, extension = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={alternative}\n")
        _openssl("req", "-new", *_new_key(signed.key), "-subj", f"/CN={name}", "-out", str(request))
        signing = ("-CA", str(self.cert), "-CAkey", str(self._key), "-CAcreateserial", "-days", "2")
        _openssl("x509", "-req", "-in", str(request), *signing, "-extfile", str(extension), "-out", str(signed.cert))
        return signed


def encrypted(key: Path, password: str) -> Path:
    """The same key under a password."""
    target = key.with_suffix(".encrypted")
    _openssl("pkey", "-in", str(key), "-aes256", "-passout", f"pass:{password}", "-out", str(target))
    return target


def _new_key(path: Path) -> tuple[str, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path))


def _openssl(*arguments: str) -> None:
    ended = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
