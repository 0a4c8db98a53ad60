"""A server whose vLLM is away, hangs, fails or has another model: refusals, readiness, and starts that must fail."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.reward_server.certainty.faulty_vllm import (
    ABOUT,
    MEASURE,
    Exchange,
    FaultyVllm,
    answering,
    flood,
    free_port,
    half_a_message,
    half_an_answer,
    hang,
    hang_up,
    running_vllm,
    status,
    tokenizer,
    well,
    with_result,
)
from tests.reward_server.service.support import (
    TERMINATE,
    assert_refused,
    batch,
    eventually,
    failed_start,
    sample,
)
from tests.reward_server.service.vllm_support import ALPHA, VALUE, is_ready, prompted, scoring_with
from tests.servers import Server

CONNECTIONS_KEPT = 18
"""To a vLLM, by a server that has 16 prompts measured at once: two more for checks."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[FaultyVllm, Server]]:
    """A vLLM and a server, for tests that leave them as they were."""
    with running_vllm() as vllm, scoring_with(vllm) as server:
        eventually(lambda: is_ready(server))
        yield vllm, server


@pytest.fixture
def server(pair: tuple[FaultyVllm, Server]) -> Server:
    return pair[1]


@pytest.fixture
def vllm(pair: tuple[FaultyVllm, Server]) -> FaultyVllm:
    return pair[0]


def test_a_vllm_that_is_away_is_waited_for_and_then_refused_with_a_time_to_come_back() -> None:
    with scoring_with(f"http://127.0.0.1:{free_port()}", "--patience", "0.5") as server:
        response = server.post(json=batch(prompted()))
        body = assert_refused(response, 503, "certainty-unavailable", "")
        assert response.headers["retry-after"] == "5"
        assert "ConnectError" in body["detail"]
        assert response.headers["etag"] == f'"{server.get("/version").json()["spec"]["digest"]}"'
        labels = {"source": "vllm", "problem": "certainty-unavailable"}
        assert sample(server, "shop_r1_certainty_failures_total", **labels) == 1
        assert server.post(json=batch({"completion": "x", "label": TERMINATE})).json()["rewards"] == [0]
        assert server.post("/score?spec=binary", json=batch(prompted())).json()["rewards"] == [1]
        assert server.get("/healthz").status_code == 200


def test_a_request_that_comes_before_vllm_does_is_scored_once_it_is_there() -> None:
    """They start side by side: the server listens at once, and is ready when vLLM is."""
    port = free_port()
    with scoring_with(f"http://127.0.0.1:{port}") as server:
        assert_refused(server.get("/readyz"), 503, "certainty-unavailable", "")
        assert sample(server, "shop_r1_ready") == 0
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(server.post(json=batch(prompted()))))
        asking.start()
        eventually(lambda: sample(server, "shop_r1_http_requests_in_flight") == 2)
        with running_vllm(port):
            asking.join(timeout=60)
            assert answers[0].json()["rewards"] == pytest.approx([0.8 + ALPHA * VALUE])
            eventually(lambda: is_ready(server))
            assert sample(server, "shop_r1_ready") == 1


def test_a_server_that_was_ready_stays_so_while_patience_lasts() -> None:
    """A pod that is taken out of its Service refuses connections, which is worse than waiting."""
    with running_vllm() as vllm, scoring_with(vllm) as server:
        eventually(lambda: is_ready(server))
        vllm.always(ABOUT, status(500))
        before = vllm.count(ABOUT)
        eventually(lambda: vllm.count(ABOUT) > before + 1)
        assert is_ready(server)
        assert sample(server, "shop_r1_ready") == 1


def test_a_vllm_that_is_away_shows_in_the_metrics_while_the_server_is_still_ready() -> None:
    with running_vllm() as vllm, scoring_with(vllm) as server:
        eventually(lambda: sample(server, "shop_r1_certainty_up", source="vllm") == 1)
        vllm.always(ABOUT, status(500))
        eventually(lambda: sample(server, "shop_r1_certainty_up", source="vllm") == 0)
        assert is_ready(server)
        vllm.always(ABOUT, well)
        eventually(lambda: sample(server, "shop_r1_certainty_up", source="vllm") == 1)


def test_a_vllm_that_was_never_there_is_published_as_down() -> None:
    with scoring_with(f"http://127.0.0.1:{free_port()}") as server:
        assert '\nshop_r1_certainty_up{source="vllm"} 0.0\n' in server.get("/metrics").text


def test_a_server_that_was_ready_is_not_any_more_once_patience_has_ended_and_is_again_when_vllm_is_well() -> None:
    with running_vllm() as vllm, scoring_with(vllm, "--patience", "0.1") as server:
        eventually(lambda: is_ready(server))
        vllm.always(ABOUT, status(500))
        eventually(lambda: not is_ready(server))
        assert_refused(server.get("/readyz"), 503, "certainty-unavailable", "")
        assert sample(server, "shop_r1_ready") == 0
        vllm.always(ABOUT, well)
        eventually(lambda: is_ready(server))
        assert sample(server, "shop_r1_ready") == 1


def test_probes_do_not_reach_vllm(vllm: FaultyVllm, server: Server) -> None:
    before = vllm.count(ABOUT)
    for _ in range(200):
        assert is_ready(server)
    assert vllm.count(ABOUT) - before < 20


def test_a_vllm_that_hangs_does_not_hold_up_the_probes() -> None:
    with running_vllm() as vllm, scoring_with(vllm) as server:
        eventually(lambda: is_ready(server))
        vllm.always(ABOUT, hang)
        before = vllm.count(ABOUT)
        eventually(lambda: vllm.count(ABOUT) > before)
        assert is_ready(server), "for as long as patience lasts"
        assert server.post(json=batch(prompted())).status_code == 200


@pytest.mark.parametrize(
    ("flags", "shown"),
    [(("--certainty-model", "other"), "other"), (("--certainty-revision", "step-2"), "step-2")],
    ids=["model", "revision"],
)
def test_another_model_is_refused_at_once_naming_both(vllm: FaultyVllm, flags: tuple[str, str], shown: str) -> None:
    with scoring_with(vllm, *flags) as server:
        for response in (server.get("/readyz"), server.post(json=batch(prompted()))):
            body = assert_refused(response, 503, "certainty-mismatch", "")
            assert shown in body["detail"]
            assert "policy" in body["detail"]
        assert sample(server, "shop_r1_ready") == 0


def test_a_vllm_without_the_plugin_is_told_what_it_lacks(vllm: FaultyVllm) -> None:
    with running_vllm() as stock, scoring_with(stock) as server:
        stock.always(ABOUT, status(404))
        eventually(lambda: "mismatch" in server.get("/readyz").text)
        body = assert_refused(server.post(json=batch(prompted())), 503, "certainty-mismatch", "")
        assert "plugin" in body["detail"]


def test_a_wrong_key_and_a_wrong_answer_are_failures_and_the_key_is_not_shown() -> None:
    with running_vllm() as vllm, scoring_with(vllm, REWARD_VLLM_API_KEY="secret-key") as server:
        eventually(lambda: is_ready(server))
        vllm.script(MEASURE, status(401), with_result(kl_to_uniform=float("nan")), answering(results=[]))
        for word in ("REWARD_VLLM_API_KEY", "nan", "0 results"):
            body = assert_refused(server.post(json=batch(prompted())), 503, "certainty-failed", "")
            assert word in body["detail"]
            assert "secret-key" not in json.dumps(body)
        vllm.always(ABOUT, status(401))
        eventually(lambda: not is_ready(server))
        assert_refused(server.get("/readyz"), 503, "certainty-failed", "")
        assert {exchange.authorization for exchange in vllm.seen} == {"Bearer secret-key"}
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
        assert server.process.stderr is not None
        log = server.process.stderr.read()
        assert b"no certainty: " in log
        assert b"secret-key" not in log


def test_a_batch_with_one_prompt_that_fails_is_not_scored_in_part(vllm: FaultyVllm, server: Server) -> None:
    vllm.script(MEASURE, well, with_result(tokens=3))
    response = server.post(json=batch(prompted(), prompted(prompt="another")))
    assert_refused(response, 503, "certainty-failed", "")


def test_a_client_that_leaves_has_nothing_measured_for_it_any_more() -> None:
    """With room for one, a client that waits for an answer that never comes would keep all others out."""
    with running_vllm() as vllm, scoring_with(vllm, "--certainty-concurrency", "1") as server:
        vllm.script(MEASURE, hang)
        leaving = HTTPConnection(server.url.removeprefix("http://"))
        leaving.request("POST", "/score", json.dumps(batch(prompted())))
        eventually(lambda: vllm.count(MEASURE) == 1)
        leaving.close()
        assert server.post(json=batch(prompted())).json()["rewards"] == pytest.approx([0.8 + ALPHA * VALUE])
        eventually(lambda: sample(server, "shop_r1_http_requests_in_flight") == 1)


def test_a_draining_server_finishes_what_vllm_still_owes_it() -> None:
    with running_vllm() as vllm, scoring_with(vllm) as server:
        released = threading.Event()

        def late(exchange: Exchange) -> None:
            released.wait(60)
            well(exchange)

        vllm.script(MEASURE, late)
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(server.post(json=batch(prompted()))))
        asking.start()
        eventually(lambda: vllm.count(MEASURE) == 1)
        server.process.terminate()
        released.set()
        asking.join(timeout=60)
        assert answers[0].status_code == 200
        assert server.process.wait(timeout=60) == 0


def test_settings_that_can_never_work_are_refused_at_start(tmp_path: Path) -> None:
    status_code, message = failed_start("--certainty", "vllm-logprobs")
    assert status_code == 2
    assert "REWARD_CERTAINTY_MODEL" in message
    status_code, message = failed_start("--certainty", "vllm-logprobs", "--certainty-model", str(tmp_path))
    assert status_code == 2
    assert "tokenizer.json" in message
    status_code, message = failed_start("--certainty", "vllm", REWARD_VLLM_API_KEY="secret key\x7f")
    assert status_code == 2
    assert "REWARD_VLLM_API_KEY" in message
    assert "secret" not in message


def test_a_kind_that_top_k_cannot_tell_is_refused_at_start_with_what_to_do_instead(tmp_path: Path) -> None:
    tokenizer().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text('{"vocab_size": 300}')
    flags = ("--certainty", "vllm-logprobs", "--certainty-model", str(tmp_path), "--spec", "shop-r1-kl-from-uniform")
    status_code, message = failed_start(*flags)
    assert status_code == 2
    assert "kl_from_uniform" in message
    assert "vllm or local" in message


def test_a_vllm_that_is_there_and_measures_nothing_is_no_source_to_count_on() -> None:
    """It answers every check; the server is ready again when nobody asks it for what it cannot have."""
    with running_vllm() as vllm, scoring_with(vllm, "--patience", "1") as server:
        eventually(lambda: is_ready(server))
        assert sample(server, "shop_r1_certainty_breaker_open", source="vllm") == 0
        vllm.always(MEASURE, status(500))

        def is_given_up() -> bool:
            assert_refused(server.post(json=batch(prompted())), 503, "certainty-unavailable", "")
            return not is_ready(server)

        eventually(is_given_up)
        body = assert_refused(server.get("/readyz"), 503, "certainty-unavailable", "")
        assert "answers, but measures nothing: status 500" in body["detail"]
        assert sample(server, "shop_r1_certainty_breaker_open", source="vllm") == 1
        eventually(lambda: is_ready(server))
        vllm.always(MEASURE, well)
        eventually(lambda: server.post(json=batch(prompted())).status_code == 200)
        assert sample(server, "shop_r1_certainty_breaker_open", source="vllm") == 0


def test_whatever_vllm_does_every_batch_is_right_or_refused_and_no_connection_is_left() -> None:
    passing = [status(500), hang_up, half_an_answer, half_a_message]
    lasting = [flood, answering(results=[]), with_result(tokens=1), with_result(kl_to_uniform=float("nan"))]
    right = pytest.approx([0.8 + ALPHA * VALUE] * 2)
    with running_vllm() as vllm, scoring_with(vllm) as server:
        eventually(lambda: is_ready(server))

        def ask(number: int) -> httpx.Response:
            pair = batch(prompted(prompt=f"{number}, first"), prompted(prompt=f"{number}, second"))
            return httpx.post(f"{server.url}/score", json=pair, timeout=120)

        open_before = sample(server, "process_open_fds")
        for fault in [*passing, *lasting]:
            vllm.script(MEASURE, well, fault, fault, well, fault)
            with ThreadPoolExecutor(8) as clients:
                answers = list(clients.map(ask, range(8)))
            refused = [answer for answer in answers if answer.status_code != 200]
            assert all(answer.json()["rewards"] == right for answer in answers if answer not in refused)
            for answer in refused:
                assert_refused(answer, 503, "certainty-failed", "")
            assert bool(refused) == (fault in lasting)
        eventually(lambda: sample(server, "process_open_fds") <= open_before + CONNECTIONS_KEPT)


def test_a_wrong_vllm_is_an_error_in_the_log_of_a_server_that_goes_on() -> None:
    """A pod that is not ready stops a rolling update; one that exits again and again says less and waits longer."""
    with running_vllm() as vllm:
        vllm.always(ABOUT, answering(protocol=2))
        with scoring_with(vllm) as server:
            eventually(lambda: "mismatch" in server.get("/readyz").text)
            assert_refused(server.post(json=batch(prompted())), 503, "certainty-mismatch", "")
            vllm.always(ABOUT, well)
            eventually(lambda: is_ready(server))
            server.process.terminate()
            assert server.process.wait(timeout=60) == 0
            assert server.process.stderr is not None
            log = server.banner + server.process.stderr.read().decode()
            assert re.search(r"ERROR.*no certainty: .*protocol is version 2", log)
            assert "certainty again, from vllm" in log


def test_another_model_than_before_is_told_in_the_log_where_none_is_asked_for() -> None:
    with running_vllm() as vllm, scoring_with(vllm) as server:
        eventually(lambda: is_ready(server))
        vllm.weights = vllm.weights | {"model": "another"}
        eventually(lambda: server.get("/version").json()["certainty"]["model"] == "another")
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
        assert server.process.stderr is not None
        assert b"certainty by 'another' from now on, no more by 'policy'" in server.process.stderr.read()
