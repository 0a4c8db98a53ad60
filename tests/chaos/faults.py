"""Faults under load: what is killed, hung or slow while a trainer keeps asking. Every reward comes, and is right."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from math import nan
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop

from tests.chaos.loads import SPEC
from tests.chaos.outcome import Outcome
from tests.chaos.rollouts import rollouts
from tests.chaos.stream import Stream
from tests.reward_server.certainty.faulty_vllm import (
    MEASURE,
    Act,
    FaultyVllm,
    answering,
    flood,
    half_a_message,
    half_an_answer,
    hang,
    hang_up,
    running_vllm,
    status,
    trickle,
    well,
    with_result,
)
from tests.reward_server.service.support import spawned_by
from tests.servers import Server, free_port, running_server

PLAIN = ("--spec", SPEC, "--certainty", "none")
IMPATIENT = ("--certainty", "vllm", "--patience", "30")
"""Gives up a request that hangs after a third of its patience."""
IN_FLIGHT = 16
HALF_OPEN = 300


def server_killed(times: int) -> Outcome:
    """SIGKILL, and another on the same port."""
    outcome = Outcome(f"server killed and restarted {times} times")
    port = free_port()
    flags = (*PLAIN, "--port", str(port))

    async def story() -> None:
        stream = Stream(outcome, f"http://127.0.0.1:{port}", rollouts(512, SPEC))
        with ExitStack() as servers:
            server = servers.enter_context(running_server(*flags))
            async with stream.running(IN_FLIGHT):
                for _ in range(times):
                    await stream.more(50)
                    await _kill(server)
                    server = await asyncio.to_thread(servers.enter_context, running_server(*flags))
                await stream.more(50)

    return told_by(story, outcome)


def one_of_two_killed(times: int) -> Outcome:
    """The client has two servers, of which one is always there."""
    outcome = Outcome(f"one of two servers killed {times} times")
    ports = [free_port(), free_port()]

    async def story() -> None:
        with ExitStack() as stack:
            servers = [stack.enter_context(running_server(*PLAIN, "--port", str(port))) for port in ports]
            digest = servers[0].get("/version").json()["spec"]["digest"]
            stream = Stream(outcome, [server.url for server in servers], rollouts(512, SPEC), digest=digest)
            async with stream.running(IN_FLIGHT):
                for number in range(times):
                    await stream.more(50)
                    await _kill(servers[number % 2])
                    again = running_server(*PLAIN, "--port", str(ports[number % 2]))
                    servers[number % 2] = await asyncio.to_thread(stack.enter_context, again)
                await stream.more(50)

    return told_by(story, outcome)


def worker_killed(times: int) -> Outcome:
    """One of the processes that share a port."""
    outcome = Outcome(f"one of 2 workers killed {times} times")

    async def story() -> None:
        with running_server(*PLAIN, "--workers", "2") as server:
            stream = Stream(outcome, server.url, rollouts(512, SPEC))
            async with stream.running(IN_FLIGHT):
                for _ in range(times):
                    await stream.more(50)
                    await _until(lambda: len(spawned_by(server)) == 2)
                    spawned_by(server)[0].kill()
                await stream.more(50)

    return told_by(story, outcome)


def restarted_under_load(times: int) -> Outcome:
    """SIGTERM, as when a node is drained, and another beside it, as a rolling update has it."""
    outcome = Outcome(f"server replaced {times} times")

    async def story() -> None:
        with ExitStack() as stack:
            ports = [free_port() for _ in range(times + 1)]
            old = stack.enter_context(running_server(*PLAIN, "--port", str(ports[0])))
            digest = old.get("/version").json()["spec"]["digest"]
            urls = [f"http://127.0.0.1:{port}" for port in ports]
            stream = Stream(outcome, urls, rollouts(512, SPEC), digest=digest)
            async with stream.running(IN_FLIGHT):
                for port in ports[1:]:
                    await stream.more(50)
                    new = await asyncio.to_thread(stack.enter_context, running_server(*PLAIN, "--port", str(port)))
                    await stream.more(50)
                    old.process.terminate()
                    assert await asyncio.to_thread(old.process.wait) == 0
                    old = new
                await stream.more(50)

    return told_by(story, outcome)


SOURCE_FAULTS: dict[str, Act] = {
    "hangs": hang,
    "hangs up": hang_up,
    "answers 500": status(500),
    "answers 429": status(429, Retry_After="1"),
    "breaks off its answer": half_an_answer,
    "sends half its JSON": half_a_message,
    "trickles": trickle,
}
"""What passes: every reward comes once it is over."""

SOURCE_LIES: dict[str, Act] = {
    "sends too few results": answering(results=[]),
    "counts other tokens": with_result(tokens=1),
    "says NaN": with_result(kl_to_uniform=nan),
    "floods": flood,
}
"""What cannot be right: every batch that meets it is refused, and none gets a number."""


def source_fault(name: str, seconds: float) -> Outcome:
    """A certainty source that fails for a while."""
    outcome = Outcome(f"certainty source {name} for {seconds:g} s")

    async def during(vllm: FaultyVllm, stream: Stream) -> None:
        vllm.always(MEASURE, SOURCE_FAULTS[name])
        await asyncio.sleep(seconds)
        vllm.always(MEASURE, well)

    return _with_source(outcome, during)


def source_slow(seconds: float) -> Outcome:
    """A certainty source whose every answer takes so long."""
    outcome = Outcome(f"certainty source takes {seconds:g} s an answer")

    async def during(vllm: FaultyVllm, stream: Stream) -> None:
        def slowly(exchange: object) -> None:
            vllm.ended.wait(seconds)
            well(exchange)  # type: ignore[arg-type]

        vllm.always(MEASURE, slowly)
        await stream.more(2 * IN_FLIGHT)
        vllm.always(MEASURE, well)

    return _with_source(outcome, during)


def source_killed(seconds: float) -> Outcome:
    """A certainty source that is gone, its port too, and comes back; the server is killed and restarted meanwhile."""
    outcome = Outcome(f"certainty source gone for {seconds:g} s, server restarted")
    port = free_port()

    async def story() -> None:
        with ExitStack() as stack:
            vllm = stack.enter_context(running_vllm())
            flags = ("--certainty", "vllm", "--vllm-url", vllm.url, "--port", str(port))
            server = stack.enter_context(running_server(*flags))
            stream = Stream(outcome, server.url, rollouts(256, "shop-r1"))
            async with stream.running(IN_FLIGHT):
                await stream.more(50)
                await asyncio.to_thread(vllm.stop)
                await asyncio.sleep(seconds / 2)
                await _kill(server)
                await asyncio.to_thread(stack.enter_context, running_server(*flags))
                await asyncio.sleep(seconds / 2)
                stack.enter_context(running_vllm(vllm.port))
                await stream.more(50)

    return told_by(story, outcome)


def source_lie(name: str) -> Outcome:
    """A certainty source whose answers cannot be right: each is refused, or asked for again, and never a number."""
    outcome = Outcome(f"certainty source {name}")

    async def during(vllm: FaultyVllm, stream: Stream) -> None:
        vllm.script(MEASURE, *[SOURCE_LIES[name]] * 20)
        await stream.more(100)

    return _with_source(outcome, during)


def half_open(seconds: float) -> Outcome:
    """Hundreds of connections that say nothing, half a head, or half a body, beside the trainer's."""
    outcome = Outcome(f"{HALF_OPEN} half-open connections")
    head = b"POST /score HTTP/1.1\r\nHost: a\r\n"
    beginnings = [b"", head, head + b"Content-Length: 100000\r\n\r\n{"]

    async def story() -> None:
        with running_server(*PLAIN, REWARD_REQUEST_SECONDS=str(seconds)) as server:
            address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
            stream = Stream(outcome, server.url, rollouts(512, SPEC))
            idle = [socket.create_connection(address) for _ in range(HALF_OPEN)]
            for number, connection in enumerate(idle):
                connection.sendall(beginnings[number % 3])
            async with stream.running(IN_FLIGHT):
                await stream.more(200)
                await asyncio.sleep(seconds)
            for connection in idle:
                connection.close()

    return told_by(story, outcome)


def log_disk_full() -> Outcome:
    """Nothing can be written where the log goes, and every request would add a line to it."""
    outcome = Outcome("disk full for logs")

    async def story() -> None:
        with Path("/dev/full").open("wb") as full, running_server(*PLAIN, "--log-level", "info", log=full) as server:
            stream = Stream(outcome, server.url, rollouts(512, SPEC))
            async with stream.running(IN_FLIGHT):
                await stream.more(200)

    return told_by(story, outcome)


def _with_source(outcome: Outcome, during: Callable[[FaultyVllm, Stream], Awaitable[None]]) -> Outcome:
    async def story() -> None:
        with running_vllm() as vllm, running_server(*IMPATIENT, "--vllm-url", vllm.url) as server:
            stream = Stream(outcome, server.url, rollouts(256, "shop-r1"))
            async with stream.running(IN_FLIGHT):
                await stream.more(50)
                await during(vllm, stream)
                await stream.more(50)

    return told_by(story, outcome)


async def _kill(server: Server) -> None:
    server.process.kill()
    await asyncio.to_thread(server.process.wait)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.05)


def told_by(story: Callable[[], Coroutine[Any, Any, None]], outcome: Outcome) -> Outcome:
    """What came of a story."""
    began = monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())
    outcome.seconds = monotonic() - began
    return outcome
