"""TLS of the server's own: its certificate, and which clients' certificates it asks for."""

import ssl
from pathlib import Path

from reward_server.scoring import ConfigurationError
from reward_server.settings import Settings

_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
_NO_CERTIFICATE = "it holds no certificate in PEM form"


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """What connections are encrypted with: TLS 1.2 or later; None for a server without a certificate.

    Raises ConfigurationError naming the setting whose file is missing, broken or does not fit the others.
    """
    cert, key, password = settings.tls_cert, settings.tls_key, settings.tls_key_password
    if cert is None or key is None:
        return None
    _check_readable("REWARD_TLS_CERT", cert)
    _check_readable("REWARD_TLS_KEY", key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password, OpenSSL would ask for one at the terminal.
        context.load_cert_chain(cert, key, password.get_secret_value() if password else "")
    except ssl.SSLError as error:
        raise ConfigurationError(_reason(error, cert, key, password is not None)) from None
    if settings.tls_client_ca is not None:
        _require_clients_of(settings.tls_client_ca, context)
    return context


def _require_clients_of(authority: Path, context: ssl.SSLContext) -> None:
    _check_readable("REWARD_TLS_CLIENT_CA", authority)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(authority)
    except ssl.SSLError:
        raise ConfigurationError(f"REWARD_TLS_CLIENT_CA {authority}: {_NO_CERTIFICATE}") from None


def _check_readable(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{name} {path}: {error.strerror}") from None


def _reason(error: ssl.SSLError, cert: Path, key: Path, has_password: bool) -> str:
    """Which file is at fault, and why: OpenSSL seldom tells."""
    if error.reason in _MISMATCHES:
        return f"REWARD_TLS_KEY {key}: it is not the key of REWARD_TLS_CERT {cert}"
    try:
        ssl.create_default_context().load_verify_locations(cert)
    except ssl.SSLError:
        return f"REWARD_TLS_CERT {cert}: {_NO_CERTIFICATE}"
    if b"ENCRYPTED" in key.read_bytes():
        return f"REWARD_TLS_KEY {key}: REWARD_TLS_KEY_PASSWORD is {'wrong' if has_password else 'missing'}"
    return f"REWARD_TLS_KEY {key}: it holds no private key in PEM form"
