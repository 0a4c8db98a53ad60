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
    offered = _offered_key(authorization or "").encode()
    matches = [hmac.compare_digest(offered, key.encode()) for key in keys]
    if not any(matches):
        detail = "no API key" if authorization is None else "not one of this server's API keys"
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            [("Authorization:", f"{detail}; send 'Bearer KEY', or KEY as the password of Basic authentication")],
            headers={"WWW-Authenticate": 'Bearer, Basic realm="reward-server"'},
        )


def _offered_key(authorization: str) -> str:
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[2]
    return ""
