"""API keys: `Authorization: Bearer KEY`, or KEY as the password of Basic authentication (`http://run:KEY@host/score`)."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from http import HTTPStatus

from reward_server.service.problems import Problem


def check_key(authorization: str | None, keys: Sequence[str]) -> None:
    """Do nothing when the header carries one of the keys, or when there are no keys; else raise a 401 Problem.

    Every key is compared, each in constant time, so that the answer's delay tells nothing.
    """
    if not keys:
        return
    offered = _offered_key(authorization or "")
    matches = [hmac.compare_digest(offered, key.encode()) for key in keys]
    if not any(matches):
        detail = "no API key" if authorization is None else "not one of this server's API keys"
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            [("Authorization:", f"{detail}; send 'Bearer KEY', or KEY as the password of Basic authentication")],
            headers={"WWW-Authenticate": 'Bearer, Basic realm="reward-server"'},
        )


def _offered_key(authorization: str) -> bytes:
    """The key in a header, as the bytes that came: Starlette decodes headers as Latin-1, keys are UTF-8."""
    scheme, _, credentials = authorization.strip().partition(" ")
    given = credentials.strip().encode("latin-1")
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
