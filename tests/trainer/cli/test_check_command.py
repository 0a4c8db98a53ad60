"""`shop-r1 check`, and the command tree around it."""

import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from reward_server import __version__
from reward_server.reward.spec import load_preset
from tests.servers import Server, running_server
from tests.trainer.cli.commands import WRONG_USAGE, run

SPEC = load_preset("shop-r1-no-rationale")
NOT_READY = 1


@pytest.fixture(scope="module")
def locked_server() -> Iterator[Server]:
    with running_server("--spec", SPEC.name, "--certainty", "none", "--api-keys", "the-key") as server:
        yield server


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == f"{__version__}\n"


def test_check_has_help_with_an_example() -> None:
    done = run("check", "--help", COLUMNS="200")
    assert done.returncode == 0
    assert "Usage: shop-r1 check " in done.stdout
    assert re.search(r"Example: shop-r1 check http://\S+", done.stdout)
    assert "SHOP_R1_API_KEY" in done.stdout


def test_a_server_that_is_ready_is_described_in_full_and_exits_with_0(server: Server) -> None:
    done = run("check", server.url, "--digest", SPEC.digest)
    assert (done.returncode, done.stderr) == (0, "")
    facts = (server.url, __version__, SPEC.name, SPEC.digest, "none")
    assert [fact for fact in facts if fact not in done.stdout] == []


def test_several_servers_are_described_and_have_to_score_alike(server: Server, certainty_server: Server) -> None:
    same = f"{certainty_server.url}/score?spec={SPEC.name}"
    done = run("check", server.url, same)
    assert (done.returncode, done.stdout.count(SPEC.digest)) == (0, 2)
    done = run("check", server.url, certainty_server.url)
    assert (done.returncode, done.stdout) == (NOT_READY, "")
    assert f"{server.url} scores with" in done.stderr


def test_another_digest_exits_with_1_and_names_both(server: Server) -> None:
    wanted = load_preset("shop-r1").digest
    done = run("check", server.url, "--digest", wanted)
    assert (done.returncode, done.stdout) == (NOT_READY, "")
    assert done.stderr.startswith("not ready: ")
    assert wanted in done.stderr
    assert SPEC.digest in done.stderr


def test_a_port_that_nobody_listens_on_exits_with_1() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        done = run("check", f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert done.returncode == NOT_READY
    assert "cannot be reached" in done.stderr


def test_a_server_of_another_kind_exits_with_1() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        thread = Thread(target=other.serve_forever, args=(0.01,))
        thread.start()
        done = run("check", f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
        thread.join()
    assert done.returncode == NOT_READY
    assert "not as a Shop-R1 reward server" in done.stderr


@pytest.mark.parametrize(
    ("flags", "environment", "status"),
    [
        ([], {"SHOP_R1_API_KEY": "the-key"}, 0),
        (["--api-key", "the-key"], {"SHOP_R1_API_KEY": "another"}, 0),
        (["--api-key", "another"], {"SHOP_R1_API_KEY": "the-key"}, NOT_READY),
        ([], {}, NOT_READY),
    ],
)
def test_a_locked_server_asks_for_its_key(
    flags: list[str], environment: dict[str, str], status: int, locked_server: Server
) -> None:
    done = run("check", locked_server.url, *flags, **environment)
    assert done.returncode == status
    assert ("asks for an API key" in done.stderr) == bool(status)
    assert "the-key" not in done.stdout + done.stderr


def test_a_key_in_the_address_is_used_and_not_shown(locked_server: Server) -> None:
    done = run("check", locked_server.url.replace("://", "://run:the-key@"))
    assert done.returncode == 0
    assert "the-key" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [[], ["check"]])
def test_a_command_line_that_means_nothing_is_wrong_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == WRONG_USAGE
    assert "Usage: shop-r1" in done.stdout + done.stderr


def test_an_address_that_is_none_is_told_in_a_sentence() -> None:
    done = run("check", "http://[::1")
    assert done.returncode in (NOT_READY, WRONG_USAGE)
    assert "Traceback" not in done.stderr
