"""A server process from its banner to its exit status."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from time import sleep, time

import httpx
import psutil
import pytest

from reward_server.scoring import ConfigurationError
from reward_server.service import shared_metrics
from tests.commands import clean_environment
from tests.reward_server.service.support import (
    CLICK,
    PLAIN,
    SEARCH,
    TERMINATE,
    assert_refused,
    assert_still_scores,
    batch,
    eventually,
    failed_start,
    half_sent,
    rollout,
    sample,
)
from tests.servers import Server, running_server

REQUEST = batch(rollout(CLICK, SEARCH), rollout(CLICK, CLICK, id="b"), {"completion": "x", "label": TERMINATE})
BODY = json.dumps(batch(rollout())).encode()

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="runs the curl command of the banner")
UNUSED = ("torch", "transformers", "vllm", "openrlhf", "trainer")


def printed_command(server: Server) -> str:
    """The `curl` of the banner, from its first word to its line's end."""
    return server.banner[server.banner.index("curl ") :]


def run_by_a_shell(command: str) -> dict[str, object]:
    ended = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def rest_of_stderr(server: Server) -> str:
    """What a server that has ended wrote after its banner."""
    assert server.process.stderr is not None
    return server.process.stderr.read().decode()


def refuses_connections(server: Server) -> bool:
    try:
        httpx.get(f"{server.url}/healthz", timeout=60)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        return False
    return False


@needs_curl
def test_the_command_of_the_banner_scores_when_a_shell_runs_it(server: Server, certainty_server: Server) -> None:
    """An exact click: 1001, and above it the certainty's share where the spec gives it one."""
    assert run_by_a_shell(printed_command(server))["rewards"] == [1001.0]
    answer = run_by_a_shell(printed_command(certainty_server))
    assert answer["scores"] == [1.0]
    assert answer["spec"]["name"] == "shop-r1"  # type: ignore[index]


@needs_curl
def test_the_command_of_the_banner_scores_once_the_key_is_filled_in() -> None:
    with running_server(*PLAIN, REWARD_API_KEYS="k-1,k-2") as server:
        command = printed_command(server)
        assert "k-1" not in server.banner
        assert run_by_a_shell(command)["status"] == 401
        assert run_by_a_shell(command.replace("KEY", "k-2"))["rewards"] == [1001.0]


@needs_curl
def test_the_command_of_the_banner_scores_under_a_spec_without_clicks(tmp_path: Path) -> None:
    spec = tmp_path / "buying.toml"
    spec.write_text('name = "buying"\n[actions.buy]\ntype = 1.0\nfields.item = { value = 1.0 }\n')
    with running_server("--spec", str(spec), "--certainty", "none") as server:
        answer = run_by_a_shell(printed_command(server))
        assert answer.get("scores") == [1.0], answer


def test_the_banner_names_url_spec_and_digest(server: Server) -> None:
    assert server.url in server.banner
    assert "shop-r1-no-rationale" in server.banner
    assert server.get("/version").json()["spec"]["digest"][:19] in server.banner


def test_the_same_request_gives_the_same_bytes(server: Server) -> None:
    first = server.post(json=REQUEST)
    assert first.json()["rewards"] == [0.5, 1001.0, 0]
    assert_still_scores(server)
    assert server.post(json=REQUEST).content == first.content
    assert httpx.post(f"{server.url}/score", json=REQUEST).content == first.content


def test_two_processes_give_the_same_bytes(server: Server) -> None:
    with running_server(*PLAIN, PYTHONHASHSEED="7") as other:
        for path in ("/specs", "/specs/binary", "/version", "/openapi.json"):
            assert other.get(path).content == server.get(path).content
        assert other.post(json=REQUEST).content == server.post(json=REQUEST).content
        stock = {"query": ["x"], "prompts": [""], "labels": [CLICK]}
        assert other.post(json=stock).content == server.post(json=stock).content


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_answered_before_the_server_exits_with_0(signum: signal.Signals) -> None:
    with running_server(*PLAIN) as server, half_sent(server, BODY) as finish:
        server.process.send_signal(signum)
        eventually(lambda: refuses_connections(server))
        assert server.process.poll() is None
        answer = finish()
        assert answer.status == 200
        assert json.loads(answer.read())["rewards"] == [0.8]
        assert server.process.wait(timeout=60) == 0


def test_a_request_that_never_ends_holds_the_server_up_for_a_limited_time() -> None:
    with running_server(*PLAIN, "--shutdown-seconds", "1") as server, half_sent(server, BODY):
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
        assert "Traceback" not in rest_of_stderr(server)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_third_signal_waits_for_nobody_and_says_so_in_one_line(signum: signal.Signals) -> None:
    with running_server(*PLAIN, "--drain-seconds", "3600") as server, half_sent(server, BODY) as finish:
        server.process.send_signal(signum)
        eventually(lambda: server.get("/readyz").status_code == 503)
        server.process.send_signal(signum)
        eventually(lambda: refuses_connections(server))
        server.process.send_signal(signum)
        answer = finish(sends_rest=False)
        assert (answer.status, answer.getheader("connection")) == (503, "close")
        assert json.loads(answer.read())["type"] == "urn:shop-r1:problem:draining"
        assert server.process.wait(timeout=60) == 0
        assert rest_of_stderr(server).count("\n") == 1


def test_without_a_time_to_drain_the_second_signal_waits_for_nobody() -> None:
    with running_server(*PLAIN) as server, half_sent(server, BODY):
        server.process.terminate()
        eventually(lambda: refuses_connections(server))
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
        assert "Traceback" not in rest_of_stderr(server)


def test_any_number_of_signals_ends_in_a_clean_exit() -> None:
    with running_server(*PLAIN) as server, half_sent(server, BODY):
        while server.process.poll() is None:
            server.process.terminate()
            sleep(0.01)
        assert server.process.returncode == 0
        assert "Traceback" not in rest_of_stderr(server)


def test_an_idle_connection_does_not_keep_the_server_from_exiting() -> None:
    with running_server(*PLAIN) as server:
        assert_still_scores(server)
        with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))):
            assert_still_scores(server)
            server.process.terminate()
            assert server.process.wait(timeout=60) == 0


def test_a_draining_server_is_not_ready_but_scores_until_its_time_is_over() -> None:
    """A second signal ends the time, so that this test need not wait for it."""
    with running_server(*PLAIN, "--drain-seconds", "3600") as server, half_sent(server, BODY) as finish:
        ready = server.get("/readyz")
        assert (ready.status_code, ready.headers.get("connection")) == (200, None)
        server.process.terminate()
        eventually(lambda: server.get("/readyz").status_code == 503)
        sleep(0.5)  # time enough to stop listening, for a server that would
        assert_refused(server.get("/readyz"), 503, "draining", "")
        assert sample(server, "shop_r1_ready") == 0
        healthy = server.get("/healthz")
        assert (healthy.status_code, healthy.headers.get("connection")) == (200, "close")
        assert_still_scores(server)
        assert httpx.post(f"{server.url}/score", content=BODY).json()["rewards"] == [0.8]
        assert finish().status == 200
        assert server.process.poll() is None
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0


def test_while_it_drains_no_connection_is_left_idle_for_a_request_to_be_lost_on() -> None:
    with running_server(*PLAIN, "--drain-seconds", "3600") as server:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        with socket.create_connection(address) as connection, connection.makefile("rwb") as stream:
            server.process.terminate()
            eventually(lambda: server.get("/readyz").status_code == 503)
            stream.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            stream.flush()
            assert stream.read().endswith(b'{"status":"ok"}'), "read to the connection's end"
        server.process.terminate()


@pytest.mark.e2e
def test_a_connection_outlives_the_idle_seconds_of_whoever_keeps_it(server: Server) -> None:
    """uvicorn would close it after 5; load balancers keep theirs for a minute and more."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.connect()
    own_port = connection.sock.getsockname()[1]
    for pause in (6, 0):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        assert connection.sock.getsockname()[1] == own_port, (
            "http.client opens another where the server closed the first"
        )
        sleep(pause)


def test_the_time_to_drain_ends_by_itself() -> None:
    with running_server(*PLAIN, REWARD_DRAIN_SECONDS="0.5") as server:
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0


def test_a_clean_exit_leaves_nothing_on_stderr() -> None:
    with running_server(*PLAIN) as server:
        assert_still_scores(server)
        server.post(content=b"not JSON")
        server.process.terminate()
        assert server.process.wait(timeout=60) == 0
        assert rest_of_stderr(server).strip() == ""


def test_a_port_in_use_is_named_and_exits_with_1(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    status, message = failed_start(*PLAIN, "--port", port)
    assert port in message
    assert "address already in use" in message
    assert status == 1
    assert_still_scores(server)


def test_an_address_that_is_not_this_machines_exits_with_1() -> None:
    """192.0.2.1 is kept for documentation (RFC 5737)."""
    status, message = failed_start(*PLAIN, "--host", "192.0.2.1", "--open", "--port", "0")
    assert "192.0.2.1" in message
    assert status == 1


def test_a_serving_process_imports_nothing_that_only_training_needs(tmp_path: Path) -> None:
    """Stand-ins go first on the path, so that even an import that may fail would be seen."""
    for name in UNUSED:
        (tmp_path / f"{name}.py").write_text("")
    program = "import sys, reward_server.service.app, reward_server.service.serve; print({*sys.argv} & {*sys.modules})"
    ended = subprocess.run(
        [sys.executable, "-c", program, *UNUSED],
        env=clean_environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout.strip(), ended.returncode) == ("set()", 0), ended.stderr


def test_a_serving_process_scores_where_torch_cannot_be_imported(tmp_path: Path) -> None:
    for name in UNUSED:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')")
    with running_server(PYTHONPATH=str(tmp_path)) as server:
        sure = {"vocab_size": 4, "top_logprobs": [[0]]}
        assert server.post(json=batch(rollout(certainty=sure))).json()["scores"] == [1.0]


def metrics_folder(server: Server) -> Path:
    mapped = [Path(file.path) for file in psutil.Process(server.process.pid).memory_maps()]
    (folder,) = {file.parent for file in mapped if file.parent.name.startswith("shop-r1-metrics-")}
    return folder


def test_a_third_signal_leaves_no_metrics_behind() -> None:
    with running_server(*PLAIN, "--drain-seconds", "600") as server:
        folder = metrics_folder(server)
        with half_sent(server, b'{"rollouts": []}'):
            while server.process.poll() is None:
                server.process.terminate()
                sleep(0.1)
        assert server.process.returncode == 0
        assert not folder.exists()


def test_metrics_that_a_killed_server_left_go_with_the_next_start_and_no_others() -> None:
    with running_server(*PLAIN) as killed, running_server(*PLAIN) as alive, running_server(*PLAIN) as just_killed:
        gone, kept, new = map(metrics_folder, (killed, alive, just_killed))
        for server in (killed, just_killed):
            server.process.kill()
            server.process.wait(timeout=60)
        hour = 3_600
        for folder, age in ((gone, hour), (kept, hour), (new, -hour)):
            os.utime(folder, (time() - age,) * 2)
        with running_server(*PLAIN) as later:
            assert [folder.exists() for folder in (gone, kept, new, metrics_folder(later))] == [False, True, True, True]
        assert_still_scores(alive)
    assert not kept.exists()
    shutil.rmtree(new)


def test_without_a_folder_for_metrics_a_server_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_metrics, "_MEMORY", "/nowhere")
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(ConfigurationError, match="TMPDIR or /dev/shm"), shared_metrics.shared_metrics():
        pytest.fail("it has no folder")
