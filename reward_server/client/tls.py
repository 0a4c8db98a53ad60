"""Whom an https server has to be vouched for by, and what it is shown of who asks."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import httpx

from reward_server.client.errors import RewardError

File = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for https servers."""

    ca_file: File | None = None
    """Of who may sign their certificates; None for those that httpx trusts."""
    certificate: File | None = None
    """That shows them who asks, with any that lead to theirs."""
    key: File | None = None
    """Its key, without a passphrase; None where the certificate's file has it."""


def tls_context(urls: Sequence[str], files: TlsFiles) -> ssl.SSLContext | bool:
    """What the servers' certificates are checked with; False where none has https.

    Raises RewardError, with the field's name, for files that cannot be used, or that nobody would ask for.
    """
    given = {name: getattr(files, name) for name in files.__slots__ if getattr(files, name) is not None}
    for name, file in given.items():
        if not isinstance(file, str | PathLike):
            raise RewardError(f"{name} has to be the path of a file, not of type {type(file).__name__}")
    if not any(url.lower().startswith("https:") for url in urls):
        for name in given:
            raise RewardError(f"{name}: no server's URL begins with https://")
        return False
    if files.key is not None and files.certificate is None:
        raise RewardError("key: its certificate is missing")
    context = _trusting(files.ca_file)
    if files.certificate is not None:
        try:
            # With a passphrase given, OpenSSL does not stop to ask a terminal for it.
            context.load_cert_chain(files.certificate, files.key, password="")
        except OSError as error:
            pair = ", ".join(f"{given[name]}" for name in ("certificate", "key") if name in given)
            raise RewardError(f"certificate, key: {pair} cannot be used: {error}") from None
    return context


def _trusting(ca_file: File | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise RewardError(f"ca_file: {ca_file} cannot be used: {error}") from None
