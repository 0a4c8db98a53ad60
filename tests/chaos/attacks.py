"""Bodies made to take memory: how much the server's processes have at their worst, and that it still scores after."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import httpx

from tests.chaos.loads import SPEC
from tests.chaos.memory import watched
from tests.chaos.outcome import Outcome
from tests.reward_server.service.support import assert_still_scores
from tests.servers import Server, running_server

MIB = 2**20
HEAD = b"POST /score HTTP/1.1\r\nHost: a\r\n"


def _filled(pattern: bytes, size: int, *, start: bytes = b'{"rollouts":[],"more":[', end: bytes = b"0]}") -> bytes:
    return start + pattern * ((size - len(start) - len(end)) // len(pattern)) + end


def _text(size: int, letter: str) -> bytes:
    rollout = b'{"label":{"type":"terminate"},"completion":"%s"}'
    # A character beyond the Basic Multilingual Plane has each of its string take four bytes.
    text = ("\U0001f6d2" + letter * (min(size // 4, 60 * MIB) - 4)).encode()
    return b'{"rollouts":[' + b",".join([rollout % text] * (size // (len(text) + 60))) + b"]}"


def _bad_rollouts(size: int) -> bytes:
    rollout = b'{"completion":1,"label":{},"id":1,"group":1,"prompt":1,"prompt_token_ids":1,"certainty":1}'
    return b'{"rollouts":[' + b",".join([rollout] * min(size // 100, 16_384)) + b"]}"


BODIES: dict[str, Callable[[int], bytes]] = {
    "white space": lambda size: b" " * size,
    "lists": lambda size: _filled(b"[],", size),
    "objects": lambda size: _filled(b"{},", size),
    "keys": lambda size: b'{"rollouts":[],"more":{%s}}' % b",".join(b'"%x":0' % n for n in range(size // 12)),
    "numbers": lambda size: _filled(b"0.1,", size),
    "short texts": lambda size: _filled(b'"ab",', size),
    "texts of four bytes a character": lambda size: _text(size, "a"),
    "broken JSON": lambda size: _filled(b'"abcdefgh",', size, end=b""),
    "16,384 rollouts with seven faults each": _bad_rollouts,
    "deep nesting": lambda size: b"[" * size,
}


def bodies(name: str, size: int, at_once: int) -> Outcome:
    """So many bodies of that make at once, each as large as the server allows."""
    outcome = Outcome(f"{at_once} × {size // MIB} MiB of {name}")
    body = BODIES[name](size)
    with (
        running_server("--spec", SPEC, "--certainty", "none", REWARD_MAX_BODY_BYTES=str(size)) as server,
        watched(outcome, server.process.pid),
    ):
        began = monotonic()

        def post(_number: int) -> int:
            return httpx.post(f"{server.url}/score", content=body, timeout=600).status_code

        with ThreadPoolExecutor(at_once) as clients:
            statuses = list(clients.map(post, range(at_once)))
        outcome.tries, outcome.seconds = at_once, monotonic() - began
        outcome.notes.append(f"answers {', '.join(map(str, sorted(set(statuses))))}")
        assert_still_scores(server)
    return outcome


def unfinished(connections: int, sent: int, *, chunked: bool) -> Outcome:
    """So many requests at once that each send some of a long body, and no more."""
    kind = "chunked" if chunked else "declared"
    outcome = Outcome(f"{connections:,} {kind} bodies that stop after {sent // 1024:,} KiB")
    head = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % (64 * MIB)
    start = HEAD + head + (b"%x\r\n" % (64 * MIB) if chunked else b"")
    with (
        running_server("--spec", SPEC, "--certainty", "none", REWARD_REQUEST_SECONDS="5") as server,
        watched(outcome, server.process.pid),
    ):
        began = monotonic()
        asyncio.run(_hold(server, [start + b" " * sent] * connections, 5.0))
        outcome.tries, outcome.seconds = connections, monotonic() - began
        assert_still_scores(server)
    return outcome


async def _hold(server: Server, beginnings: Iterable[bytes], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    held = []
    for beginning in beginnings:
        connection = socket.socket()
        connection.setblocking(False)
        await loop.sock_connect(connection, address)
        held.append((connection, beginning))
    # What a server does not read is not taken: sending never ends by itself.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(loop.sock_sendall(*one) for one in held), return_exceptions=True)
            await asyncio.sleep(seconds)
    for connection, _ in held:
        connection.close()
