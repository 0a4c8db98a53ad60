"""An HTTPRoute as rules of HAProxy. A route with anything in it that is not translated is refused."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.deploy.chart import Object


class NotUnderstood(Exception):
    """Something of a route that no rule stands for here."""


class Pod(NamedTuple):
    """A server behind the proxy."""

    name: str
    address: str


_Match = tuple[int, int, int, list[str], str]
"""Length of its prefix, number of its headers, order; the lines of its conditions, and the one that uses its rule."""


def rules(route: Object, pods: Mapping[str, Sequence[Pod]], probe: Object) -> str:
    """The lines of a frontend's end, and its backends.

    `pods` are those of each Service. As in a cluster, one is asked whether it is ready as its container's `probe` says,
    and a Service without a ready one answers 503.
    """
    spec = _only(route["spec"], "parentRefs", "rules")
    matches: list[_Match] = []
    backends = [_service(name, members, probe) for name, members in pods.items()]
    for number, rule in enumerate(spec["rules"]):
        _only(rule, "matches", "filters", "backendRefs", "timeouts")
        matches += _matches(rule["matches"], number)
        backends.append(_backend(rule, number, pods))
    # The longest prefix wins, then the most headers, then the first: HAProxy takes the first that fits.
    matches.sort(key=lambda match: (-match[0], -match[1], match[2]))
    conditions = [line for match in matches for line in match[3]]
    return "\n".join([*conditions, *(match[4] for match in matches), *backends])


def _matches(matches: Sequence[Object], number: int) -> Iterator[_Match]:
    for place, match in enumerate(matches):
        _only(match, "path", "headers")
        name = f"rule-{number}-{place}"
        prefix = _prefix(match)
        # A prefix ends where an element of the path ends.
        lines = [f"acl {name}-path path_beg {prefix.rstrip('/')}/", f"acl {name}-path path {prefix}"]
        headers = match.get("headers", [])
        for order, header in enumerate(headers):
            _only(header, "type", "name", "value")
            if header.get("type", "Exact") != "Exact":
                raise NotUnderstood(f"a header matched by {header['type']}")
            lines.append(f"acl {name}-{order} req.fhdr({_word(header['name'])}) -m str {_word(header['value'])}")
        needed = " ".join([f"{name}-path", *(f"{name}-{order}" for order in range(len(headers)))])
        indented = [f"    {line}" for line in lines]
        yield len(prefix), len(headers), number, indented, f"    use_backend rule-{number} if {needed}"


def _service(name: str, members: Sequence[Pod], probe: Object) -> str:
    """Knows which of its pods are ready."""
    asked = _only(probe, "httpGet", "periodSeconds", "timeoutSeconds", "failureThreshold")
    checks = f"check inter {asked['periodSeconds']}s fall {asked['failureThreshold']} rise 1"
    return "\n".join(
        [
            f"backend {name}",
            f"    option httpchk GET {_word(asked['httpGet']['path'])}",
            "    http-check expect status 200-399",
            f"    timeout check {asked['timeoutSeconds']}s",
            *(f"    server {pod.name} {pod.address} {checks}" for pod in members),
        ]
    )


def _backend(rule: Object, number: int, pods: Mapping[str, Sequence[Pod]]) -> str:
    """What becomes of the requests of a rule."""
    lines = [f"backend rule-{number}"]
    for item in rule.get("filters", []):
        _only(item, "type", "urlRewrite")
        path = _only(_only(item["urlRewrite"], "path")["path"], "type", "replacePrefixMatch")
        if path["type"] != "ReplacePrefixMatch" or len(rule["matches"]) != 1:
            raise NotUnderstood(f"a rewrite {path['type']} of {len(rule['matches'])} matches")
        prefix = _prefix(rule["matches"][0]).rstrip("/").replace(".", "[.]")
        goal = _word(path["replacePrefixMatch"]).rstrip("/")
        lines.append(rf"    http-request replace-path '^{prefix}/?(.*)$' '{goal}/\1'")
    timeouts = _only(rule["timeouts"], "request")
    if not re.fullmatch(r"[1-9][0-9]*s", timeouts["request"]):
        raise NotUnderstood(f"a request's time of {timeouts['request']}")
    # HAProxy counts a server's silence, which here is all there is to a request's time.
    lines.append(f"    timeout server {timeouts['request']}")
    if len(rule["backendRefs"]) != 1:
        raise NotUnderstood("weights, of which a swap has none")
    (service,) = rule["backendRefs"]
    _only(service, "name", "port", "weight")
    if service["name"] not in pods or service.get("weight", 1) < 1:
        raise NotUnderstood(f"the backend {service}")
    lines += [
        f"    server {pod.name} {pod.address} track {service['name']}/{pod.name}" for pod in pods[service["name"]]
    ]
    return "\n".join(lines)


def _prefix(match: Object) -> str:
    path = _only(match["path"], "type", "value")
    if path["type"] != "PathPrefix":
        raise NotUnderstood(f"a path matched by {path['type']}")
    return _word(path["value"])


def _only(part: Object, *known: str) -> Object:
    if unknown := part.keys() - {*known}:
        raise NotUnderstood(f"{', '.join(sorted(unknown))} in {part}")
    return part


def _word(text: str) -> str:
    """Text that means itself in HAProxy's configuration."""
    if not re.fullmatch(r"[A-Za-z0-9/._-]+", text):
        raise NotUnderstood(f"the characters of {text!r}")
    return text
