"""Keys from a file: read again when it changes, and never lost, shown or opened to all when it goes bad."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reward_server.service.key_file import read_keys
from tests.reward_server.service.support import PLAIN, batch, eventually, failed_start, rollout
from tests.servers import Server, running_server

OLD, NEW, OTHER = "old-key-of-a-run-1", "new-key-of-a-run-2", "given-by-a-variable"


def status(server: Server, key: str) -> int:
    return server.post(json=batch(rollout()), headers={"Authorization": f"Bearer {key}"}).status_code


def replace(file: Path, text: str) -> None:
    """As a well-behaved editor does, in one step."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


@contextmanager
def reading(file: Path, *flags: str, **variables: str) -> Iterator[Server]:
    with running_server(*PLAIN, *flags, REWARD_API_KEYS_FILE=str(file), **variables) as server:
        yield server


def rest_of_the_log(server: Server) -> str:
    server.process.terminate()
    assert server.process.wait(timeout=60) == 0
    assert server.process.stderr is not None
    return server.process.stderr.read().decode()


def test_keys_stand_one_a_line_or_between_commas_among_comments(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(
        "\ufeff# of 2026\n  first-key \r\n\nsecond#key # the trainer's, soon gone\nthird,fourth,,\n#fifth\n"
    )
    assert read_keys(file, 1) == ("first-key", "second#key", "third", "fourth")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no keys"),
        (b"# nothing\n \n,\n", "no keys"),
        (b"a-key-of-16-letters\nanother key of 16", "line 2: white space"),
        (b"a\0key", "line 1: white space or a control"),
        (b"\n\nk\xffy", "not UTF-8"),
        (b"0123456789abcdef\nshort", "line 2: a key of 5 characters; 16 are needed"),
    ],
    ids=["empty", "comments", "space", "NUL", "Latin-1", "short"],
)
def test_a_file_without_good_keys_stops_the_start_and_names_the_setting(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "k"
    file.write_bytes(content)
    code, message = failed_start(*PLAIN, "--host", "0.0.0.0", "--port", "0", REWARD_API_KEYS_FILE=str(file))
    assert code == 2
    assert "REWARD_API_KEYS_FILE" in message
    assert reason in message
    assert "0123456789" not in message.replace(str(file), "")
    assert "another" not in message


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path, name: str) -> None:
    code, message = failed_start(*PLAIN, REWARD_API_KEYS_FILE=str(tmp_path / name))
    assert code == 2
    assert "REWARD_API_KEYS_FILE" in message
    assert "No such file" in message or "Is a directory" in message


def test_a_replaced_file_rotates_keys_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(OLD)
    with reading(file, REWARD_API_KEYS=OTHER) as server:
        assert [status(server, key) for key in (OLD, NEW, OTHER)] == [200, 401, 200]
        replace(file, f"{NEW}\n{OLD}\n")
        assert [status(server, key) for key in (OLD, NEW, OTHER)] == [200, 200, 200]
        replace(file, NEW)
        assert [status(server, key) for key in (OLD, NEW, OTHER)] == [401, 200, 200]


def test_keys_rotate_as_kubernetes_swaps_the_folder_of_a_mounted_secret(tmp_path: Path) -> None:
    """`api-keys` links to `..data/api-keys`, and `..data` to a folder that is replaced in one step."""
    for version, key in (("..1", OLD), ("..2", NEW)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "api-keys").write_text(key)
        os.utime(tmp_path / version / "api-keys", (1, 1))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "api-keys").symlink_to("..data/api-keys")
    with reading(tmp_path / "api-keys") as server:
        assert [status(server, key) for key in (OLD, NEW)] == [200, 401]
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        assert [status(server, key) for key in (OLD, NEW)] == [401, 200]


@pytest.mark.parametrize("spoil", ["empty", "gone", "folder", "binary", "comment"])
def test_a_file_that_goes_bad_keeps_the_last_good_keys_and_says_so_once(tmp_path: Path, spoil: str) -> None:
    file = tmp_path / "keys"
    file.write_text(OLD)
    with reading(file) as server:
        assert status(server, OLD) == 200
        if spoil in ("gone", "folder"):
            file.unlink()
        if spoil == "folder":
            file.mkdir()
        if spoil in ("empty", "binary", "comment"):
            file.write_bytes({"empty": b"", "binary": b"\xff\xfe", "comment": b"# soon"}[spoil])
        for _ in range(3):
            assert [status(server, key) for key in (OLD, NEW, "x")] == [200, 401, 401]
        if spoil == "folder":
            file.rmdir()
        file.write_text(NEW)
        eventually(lambda: status(server, NEW) == 200)
        assert status(server, OLD) == 401
        log = rest_of_the_log(server)
    assert log.count("the keys read last stay valid") == 1
    assert str(file) in log
    assert OLD not in log
    assert NEW not in log


def test_a_key_that_could_be_guessed_is_not_taken_over_from_a_changed_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(OLD)
    with reading(file, "--host", "0.0.0.0") as server:
        replace(file, f"{NEW}\nguess\n")
        assert [status(server, key) for key in (OLD, NEW, "guess")] == [200, 401, 401]
        assert "line 2: a key of 5 characters" in rest_of_the_log(server)
