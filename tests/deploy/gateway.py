"""What a Gateway does with a request, by the precedence of the HTTPRoute's specification."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.deploy.chart import Object


class Sent(NamedTuple):
    """Where a request goes: Services with their shares, and the path that they see."""

    shares: dict[str, int]
    path: str


def send(route: Object, path: str, headers: Mapping[str, str] | None = None) -> Sent:
    """The longest prefix wins, then the most headers, then the first rule."""
    given = {name.lower(): value for name, value in (headers or {}).items()}
    matches = [
        (len(_prefix(match)), len(match.get("headers", ())), -order, rule)
        for order, rule in enumerate(route["spec"]["rules"])
        for match in rule["matches"]
        if _is_under(path, _prefix(match))
        and all(given.get(header["name"].lower()) == header["value"] for header in match.get("headers", ()))
    ]
    prefix, _, _, rule = max(matches, key=lambda found: found[:3])
    shares = {backend["name"]: backend.get("weight", 1) for backend in rule["backendRefs"]}
    for item in rule.get("filters", ()):
        replacement = item["urlRewrite"]["path"]["replacePrefixMatch"]
        path = f"{replacement.rstrip('/')}/{path[prefix:].lstrip('/')}"
    return Sent(shares, path)


def _prefix(match: Object) -> str:
    assert match["path"]["type"] == "PathPrefix"
    return str(match["path"]["value"])


def _is_under(path: str, prefix: str) -> bool:
    """A prefix ends where an element of the path ends: /versions/v1 is none of /versions/v10."""
    return prefix == "/" or path == prefix or path.startswith(f"{prefix}/")
