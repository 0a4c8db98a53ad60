"""API keys: `Authorization: Bearer KEY`, or KEY as the password of Basic authentication (`http://run:KEY@host/score`)."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus

from reward_server.service.key_file import KeyFile
from reward_server.service.problems import Problem
from reward_server.settings import Settings


class KeyRing:
    """The keys that this server takes: those of the settings, and those of the file."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError for a file that gives no good keys."""
        self._given = tuple(key.get_secret_value() for key in settings.api_keys)
        self._file = KeyFile(settings.api_keys_file, settings.shortest_key) if settings.api_keys_file else None

    @property
    def is_needed(self) -> bool:
        """Whether anything is asked of a client; never changes."""
        return bool(self._given) or self._file is not None

    def opens(self, offered: bytes) -> bool:
        """Whether this is one of the keys.

        Every key is compared, by digests and each in constant time, so that the answer's delay tells nothing.
        """
        keys = self._given + (self._file.keys() if self._file else ())
        digest = sha256(offered).digest()
        matches = [hmac.compare_digest(digest, sha256(key.encode()).digest()) for key in keys]
        return any(matches)


def check_key(authorizations: Sequence[str], keys: KeyRing) -> None:
    """Raise a 401 Problem unless the one `Authorization` header carries a key.

    Of several headers, a proxy may have looked at another than we would: they are refused whatever they say.
    """
    if not authorizations:
        raise _unauthorized("no API key")
    if len(authorizations) > 1:
        raise _unauthorized("given more than once")
    if not keys.opens(_offered_key(authorizations[0])):
        raise _unauthorized("not one of this server's API keys")


def _unauthorized(detail: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        [("Authorization:", f"{detail}; send 'Bearer KEY', or KEY as the password of Basic authentication")],
        headers={"WWW-Authenticate": 'Bearer, Basic realm="reward-server"'},
    )


def _offered_key(authorization: str) -> bytes:
    """The key in a header, as the bytes that came: Starlette decodes headers as Latin-1, keys are UTF-8."""
    scheme, _, credentials = authorization.encode("latin-1").strip(b" \t").partition(b" ")
    given = credentials.strip(b" \t")
    if scheme.lower() == b"bearer":
        return given
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
