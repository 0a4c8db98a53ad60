"""The source `vllm` while vLLM is away for long: hardly asked, and nothing lost once it is back."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest

from reward_server.certainty import connection
from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import SourceUnavailable
from reward_server.certainty.vllm import VllmSource
from tests.reward_server.certainty.faulty_vllm import (
    ABOUT,
    MEASURE,
    TOKENIZER,
    Act,
    FaultyVllm,
    free_port,
    half_an_answer,
    hang,
    hang_up,
    running_vllm,
    status,
    trickle,
    well,
)
from tests.reward_server.certainty.vllm_support import LONG, expected, measure, options, request, with_source
from tests.reward_server.service.certificates import Authority

ROUTES = (ABOUT, TOKENIZER, MEASURE)
MANY = 100


@pytest.fixture
def vllm() -> Iterator[FaultyVllm]:
    with running_vllm() as running:
        yield running


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are given up after half a second, and then one, two, and so on."""
    monkeypatch.setattr(connection, "_DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr(connection, "_FIRST_TRY", 0)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("fault", [hang, trickle], ids=["hangs", "trickles"])
def test_a_request_that_hangs_is_given_up_and_sent_again(vllm: FaultyVllm, route: str, fault: Act) -> None:
    vllm.script(route, fault, fault)
    (answer,) = measure(vllm, request("Yes"))
    assert answer.value == pytest.approx(expected("Yes"))
    assert vllm.count(route) >= 3


@pytest.mark.usefixtures("hasty")
def test_a_queue_is_no_hang_while_it_moves(vllm: FaultyVllm) -> None:
    """The last has to wait until the others are answered, one every tenth of a second: longer than it is given."""
    many = [request(f"No {number}", prompt=str(number)) for number in range(16)]

    async def queue(source: VllmSource) -> None:
        await asyncio.gather(*(source.measure([item], "kl_to_uniform") for item in many))

    with vllm.one_at_a_time(0.1):
        with_source(options(vllm), queue)
    assert vllm.count(MEASURE) < 2 * len(many)


@pytest.mark.parametrize(
    ("routes", "fault"),
    [((MEASURE,), status(500)), ((MEASURE,), half_an_answer), (ROUTES, hang_up)],
    ids=["measures nothing", "measures half", "is away"],
)
def test_many_batches_hardly_ask_a_vllm_that_is_away_and_all_are_measured_when_it_is_back(
    vllm: FaultyVllm, routes: tuple[str, ...], fault: Act
) -> None:
    async def outage(source: VllmSource) -> None:
        sockets = _sockets()
        await source.measure([request()], "kl_to_uniform")
        for route in routes:
            vllm.always(route, fault)
        words = [f"No {number}" for number in range(MANY)]
        batches = [asyncio.create_task(source.measure([request(word)], "kl_to_uniform")) for word in words]
        while not source.is_held_back or vllm.at_once:
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        began, before = loop.time(), len(vllm.seen)
        await asyncio.sleep(2)
        asked = len(vllm.seen) - before
        assert asked <= 20 * (loop.time() - began), "of hundreds a second without a breaker"
        assert not any(batch.done() for batch in batches)
        for route in routes:
            vllm.always(route, well)
        answers = await asyncio.gather(*batches)
        assert [answer.value for (answer,) in answers] == [pytest.approx(expected(word)) for word in words]
        assert not source.is_held_back
        assert vllm.most_at_once <= 16
        assert len(asyncio.all_tasks()) == 1
        await source.close()
        while _sockets() > sockets:
            await asyncio.sleep(0.01)

    with_source(options(vllm), outage)


def test_a_vllm_that_is_killed_and_started_again_costs_waiting_batches_nothing() -> None:
    port = free_port()
    words = [f"No {number}" for number in range(MANY)]

    async def restarts(source: VllmSource) -> None:
        batches = [asyncio.create_task(source.measure([request(word)], "kl_to_uniform")) for word in words]
        # Whoever comes first finds out for all others once it has been away.
        for at_once in (16, 1, 1):
            with running_vllm(port) as vllm:
                vllm.always(MEASURE, hang)
                while vllm.at_once < at_once:
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(vllm.stop)
            while not source.is_held_back:
                await asyncio.sleep(0.01)
        with running_vllm(port):
            answers = await asyncio.gather(*batches)
        assert [answer.value for (answer,) in answers] == [pytest.approx(expected(word)) for word in words]
        assert len(asyncio.all_tasks()) == 1

    with_source(SourceOptions(url=f"http://127.0.0.1:{port}", patience=LONG), restarts)


def test_a_check_fails_while_batches_wait_and_is_well_when_none_does(vllm: FaultyVllm) -> None:
    """Else a server that gets no work because it is not ready would never be ready again."""

    async def scene(source: VllmSource) -> None:
        vllm.always(MEASURE, status(500))
        waiting = asyncio.create_task(source.measure([request()], "kl_to_uniform"))
        while not source.is_held_back:
            await asyncio.sleep(0.01)
        for _ in range(3):
            with pytest.raises(SourceUnavailable, match="answers, but measures nothing: status 500: oh"):
                await source.check()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        with pytest.raises(SourceUnavailable, match="measures nothing"):
            await source.check()
        await source.check()
        assert not source.is_held_back

    with_source(options(vllm), scene)


def test_a_vllm_whose_certificate_is_not_trusted_is_one_that_is_away(vllm: FaultyVllm, tmp_path: Path) -> None:
    """It may be renewed while the server runs, which must not end for it."""
    signed = Authority(tmp_path / "stranger").sign("vllm")
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.cert, signed.key)
    vllm.listener = context.wrap_socket(vllm.listener, server_side=True, do_handshake_on_connect=False)
    given = SourceOptions(url=vllm.url.replace("http:", "https:"), patience=0.5)
    for work in (lambda source: source.check(), lambda source: source.measure([request()], "kl_to_uniform")):
        with pytest.raises(SourceUnavailable, match="its certificate is not trusted: unable to get local issuer"):
            with_source(given, work)


def _sockets() -> int:
    """How many sockets this process has open, the vLLM's included."""
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return sum(os.path.lexists(link) and os.readlink(link).startswith("socket:") for link in links)
