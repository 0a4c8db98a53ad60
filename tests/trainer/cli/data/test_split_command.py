"""`shop-r1 data split`: files of sessions that share nothing."""

import json
from pathlib import Path

import pytest

from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run
from tests.trainer.sessions.support import lines, shopping


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    """200 sessions of 40 users."""
    file = tmp_path / "sessions.jsonl"
    file.write_bytes(lines(*(shopping(str(number), user=f"u{number % 40}") for number in range(200))))
    return file


def test_a_split_by_user_shares_no_user_and_loses_no_session(visits: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "splits"
    done = run("data", "split", visits, "--out", out, "--by", "user", "--json", tmp_path / "f.json")
    assert (done.returncode, done.stderr) == (0, "")
    train, test = ([json.loads(line) for line in (out / f"{name}.jsonl").open()] for name in ("train", "test"))
    assert {row["user"] for row in train}.isdisjoint({row["user"] for row in test})
    assert {row["session"] for row in train + test} == {str(number) for number in range(200)}
    assert json.loads((tmp_path / "f.json").read_text())["sessions"] == {"train": len(train), "test": len(test)}
    flags = ("--apart", "user", "--allow", "leaked_content")
    assert run("data", "check", out / "train.jsonl", out / "test.jsonl", *flags).returncode == 0


def test_the_same_command_splits_alike_and_more_sessions_change_nothing(visits: Path, tmp_path: Path) -> None:
    run("data", "split", visits, "--out", tmp_path / "a")
    visits.write_bytes(visits.read_bytes() + lines(shopping("new")))
    run("data", "split", visits, "--out", tmp_path / "b")
    for name in ("train.jsonl", "test.jsonl"):
        before, after = ((tmp_path / folder / name).read_bytes() for folder in "ab")
        assert set(before.splitlines()) <= set(after.splitlines())


def test_sessions_without_a_user_stop_a_split_by_user(tmp_path: Path) -> None:
    file, out = tmp_path / "s.jsonl", tmp_path / "splits"
    file.write_bytes(lines(shopping("a"), shopping("b", user="u")))
    done = run("data", "split", file, "--out", out, "--by", "user")
    assert done.returncode == BAD_INPUT
    assert f"{file}:1, /user: no_user" in done.stderr
    assert list(out.iterdir()) == []
    done = run("data", "split", file, "--out", out, "--by", "user", "--skip-bad")
    assert done.returncode == 0
    assert "left out: no_user 1" in done.stderr


@pytest.mark.parametrize("shares", ["a=0.5", "a=0.5 b=0.6", "a=nan", "a=0 b=1", "a=x", "../a=1", "a=0.5 a=0.5", "=1"])
def test_shares_that_are_none_are_wrong_usage(shares: str, visits: Path, tmp_path: Path) -> None:
    flags = [flag for share in shares.split() for flag in ("--share", share)]
    done = run("data", "split", visits, "--out", tmp_path / "splits", *flags)
    assert done.returncode == WRONG_USAGE
    assert not (tmp_path / "splits").exists()


def test_the_file_that_is_read_is_not_written_over(visits: Path) -> None:
    train = visits.rename(visits.with_name("train.jsonl"))
    before = train.read_bytes()
    assert run("data", "split", train, "--out", train.parent).returncode == WRONG_USAGE
    assert train.read_bytes() == before


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_bytes(b"")
    done = run("data", "split", tmp_path / "s.jsonl", "--out", tmp_path / "splits")
    assert done.returncode == BAD_INPUT
    assert "there are no sessions to split" in done.stderr


def test_a_folder_that_cannot_be_made_is_wrong_usage(visits: Path) -> None:
    done = run("data", "split", visits, "--out", visits / "splits")
    assert done.returncode == WRONG_USAGE
    assert "Traceback" not in done.stderr
