"""One rollout a call, as stock OpenRLHF asks: calls per second and latency beside the floor and two peers."""

import json
import random
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.http.load import Load, Target, ours, peer, post
from benchmarks.scoring_core import SHARES, SHORT_NAMES, action, near
from trainer.sessions.storefront import Storefront

GROUPS, GROUP = 8, 8
IN_FLIGHT = (64, 512)
ROUNDS, SECONDS = 5, 2
SHARE = 0.8
"""Of the calls per second that a server can do, at which latency is looked at."""
PEERS = ("floor", "serve_rm", "route")
WAITED_FOR = ("ours", "floor", "serve_rm")
"""Whose latency is measured."""
SIZES = {"0.9 KB": (60, 7), "212 KB": (101_000, 8)}
"""Bytes of a page, and sentences of a rationale."""
SENTENCE = "I compare the price with what I wanted to spend, and the reviews look good to me. "


class Figures(NamedTuple):
    """Of one size of body and so many calls in flight; medians of the rounds."""

    size: str
    body_bytes: int
    in_flight: int
    calls: dict[str, float]
    """Per second, by server."""
    of_floor: dict[str, float]
    of_peer: float
    """Ours, to the peer that is as OpenRLHF has it."""
    latencies: dict[str, Load]
    """At about a part of what each can do, by server."""


def bodies(page_bytes: int, sentences: int) -> list[bytes]:
    """Of groups that share a page of a shop and a label each, one after the other, as OpenRLHF writes them."""
    rng = random.Random(1)
    pages = iter([step.html for session in Storefront(size="full").sessions(20) for step in session.steps if step.html])
    found = []
    for group in range(GROUPS):
        page = f"<!-- {group} -->"
        while len(page) < page_bytes:
            page += next(pages)
        page = page[:page_bytes]
        label = action(rng.choices(tuple(SHARES), tuple(SHARES.values()))[0], SHORT_NAMES, rng)
        for _ in range(GROUP):
            answer = {"rationale": SENTENCE * sentences, "action": rng.choice((label, near(label, rng)))}
            found.append({"query": [page + json.dumps(answer)], "prompts": [page], "labels": [label]})
    return [json.dumps(body).encode() for body in found]


def measure() -> list[Figures]:
    """All sizes and numbers in flight; servers take turns, so that a slow moment hits all."""
    figures = []
    with ExitStack() as stack:
        servers = {"ours": stack.enter_context(ours()), **{name: stack.enter_context(peer(name)) for name in PEERS}}
        for size, about in SIZES.items():
            asked = bodies(*about)
            _agree(servers, asked)
            figures += [_figures(size, asked, servers, in_flight) for in_flight in IN_FLIGHT]
    return figures


def _figures(size: str, asked: Sequence[bytes], servers: dict[str, Target], in_flight: int) -> Figures:
    rounds = [
        {name: post(target.url, asked, in_flight, SECONDS).calls for name, target in servers.items()}
        for _ in track(range(ROUNDS), f"{size}, {in_flight} in flight", console=Console(stderr=True), transient=True)
    ]
    calls = {name: median(row[name] for row in rounds) for name in servers}
    of_floor = {name: median(row[name] / row["floor"] for row in rounds) for name in servers}
    of_peer = median(row["ours"] / row["serve_rm"] for row in rounds)
    loads = [{name: _part(servers[name], asked, in_flight, calls[name]) for name in WAITED_FOR} for _ in range(ROUNDS)]
    latencies = {name: sorted((row[name] for row in loads), key=_spread)[ROUNDS // 2] for name in WAITED_FOR}
    return Figures(size, len(asked[0]), in_flight, calls, of_floor, of_peer, latencies)


def _part(server: Target, asked: Sequence[bytes], in_flight: int, most: float) -> Load:
    """A part of the most calls per second that a server can do; a connection's pause has what a call takes left out."""
    each = 1_000 * in_flight / (SHARE * most)
    taken = post(server.url, asked, in_flight, 1, each).p50
    return post(server.url, asked, in_flight, SECONDS, max(each - taken, 1))


def _spread(load: Load) -> float:
    return load.p99 / load.p50


def _agree(servers: dict[str, Target], asked: Sequence[bytes]) -> None:
    """Whoever scores gives the same rewards."""
    for body in asked:
        rewards = [
            httpx.post(target.url, content=body).raise_for_status().json()["rewards"]
            for name, target in servers.items()
            if name != "floor"
        ]
        assert all(abs(reward[0] - rewards[0][0]) < 1e-9 for reward in rewards), rewards


def tables(figures: Sequence[Figures]) -> list[Table]:
    calls = Table(title=f"Calls per second, median of {ROUNDS} rounds; the server has one core")
    peers = ("OpenRLHF-style", "FastAPI, orjson")
    for heading in ("body", "in flight", "floor", "ours", *peers, "of the floor", "× OpenRLHF-style"):
        calls.add_column(heading, justify="left" if heading == "body" else "right")
    latency = Table(title=f"Latency at about {SHARE:.0%} of what each can do, the middle of {ROUNDS} rounds")
    names = {"ours": "ours", "floor": "floor", "serve_rm": "OpenRLHF-style"}
    headings = [f"{names[name]}: {what}" for name in WAITED_FOR for what in ("load", "p99 / p50")]
    for heading in ("body", "connections", "p50, ms", "p99, ms", *headings):
        latency.add_column(heading, justify="left" if heading == "body" else "right")
    for each in figures:
        numbers = [f"{each.calls[name]:,.0f}" for name in ("floor", "ours", "serve_rm", "route")]
        body = f"{each.body_bytes / 1_000:.3g} KB"
        calls.add_row(body, str(each.in_flight), *numbers, f"{each.of_floor['ours']:.0%}", f"{each.of_peer:.1f} ×")
        ours = each.latencies["ours"]
        cells = [f"{ours.p50:.1f}", f"{ours.p99:.1f}"]
        for name in WAITED_FOR:
            load = each.latencies[name]
            cells += [f"{load.calls / each.calls[name]:.0%}", f"{_spread(load):.1f}"]
        latency.add_row(body, str(each.in_flight), *cells)
    return [calls, latency]
