"""`shop-r1 data sft` and `shop-r1 data rl`: sessions in, training rows out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run
from tests.trainer.sessions.support import BUY, HOME, LEAVE, OPEN_HAT, PRODUCT, SEARCH, lines, shopping, step


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "sessions.jsonl"
    file.write_bytes(lines(shopping("a"), shopping("b")))
    return file


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    file = tmp_path / "faulty.jsonl"
    off_page = {"session": "b", "steps": [step(HOME, SEARCH), step(PRODUCT, OPEN_HAT), step(PRODUCT, BUY)]}
    file.write_bytes(lines(shopping("a"), off_page, b"{", shopping("a")))
    return file


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_rl_writes_prompts_and_labels(good: Path, tmp_path: Path) -> None:
    done = run("data", "rl", good, "--out", tmp_path / "rl.jsonl", "--json", tmp_path / "rl.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["id"] for row in rows(tmp_path / "rl.jsonl")] == ["a/2", "a/3", "b/2", "b/3"]
    figures = json.loads((tmp_path / "rl.json").read_text())
    assert (figures["rows"], figures["label_types"], figures["bad"]) == (4, {"click": 4}, {})
    # Rows 2 show two pages, rows 3 three.
    assert (figures["pages_shown"], figures["pages_dropped"]) == (10, 0)


def test_sft_writes_chats(good: Path, tmp_path: Path) -> None:
    assert run("data", "sft", good, "--out", tmp_path / "sft.jsonl").returncode == 0
    found = rows(tmp_path / "sft.jsonl")
    assert [row["steps"] for row in found] == [[1, 2, 3], [1, 2, 3]]
    assert [message["role"] for message in found[0]["messages"]][:3] == ["system", "user", "assistant"]


@pytest.mark.parametrize("command", ["rl", "sft"])
def test_bad_rows_stop_the_command_and_nothing_is_written(command: str, faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("as it was")
    done = run("data", command, faulty, "--out", out)
    assert done.returncode == BAD_INPUT
    for told in (":2, /steps/1/action/name: not_on_page", ":3: not_json", ":4, /session: duplicate_session"):
        assert f"{faulty}{told}" in done.stderr
    assert "--skip-bad" in done.stderr
    assert out.read_text() == "as it was"
    assert not list(tmp_path.glob("*.part"))


def test_bad_rows_are_left_out_on_request_and_counted(faulty: Path, tmp_path: Path) -> None:
    out = tmp_path / "rl.jsonl"
    done = run("data", "rl", faulty, "--out", out, "--skip-bad", "--json", tmp_path / "figures.json")
    assert done.returncode == 0
    assert [row["id"] for row in rows(out)] == ["a/2", "a/3", "b/3"]
    assert "left out: " in done.stderr
    assert json.loads((tmp_path / "figures.json").read_text())["bad"] == {
        "duplicate_session": 1,
        "not_json": 1,
        "not_on_page": 1,
    }


def test_prompts_over_the_limit_are_named(good: Path, tmp_path: Path) -> None:
    done = run("data", "rl", good, "--out", tmp_path / "rl.jsonl", "--max-length", 100)
    assert done.returncode == BAD_INPUT
    assert f"{good}:1, /steps/1/html: prompt_too_long: " in done.stderr
    done = run("data", "rl", good, "--out", tmp_path / "rl.jsonl", "--max-length", 100, "--skip-bad")
    assert done.returncode == BAD_INPUT, "nothing is left"
    assert "the sessions give no row" in done.stderr


def test_a_budget_says_what_it_dropped(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "rl.jsonl"
    run("data", "rl", good, "--out", out)
    longest = max(row["length"] for row in rows(out))
    done = run("data", "rl", good, "--out", out, "--max-length", longest - 1, "--json", tmp_path / "f.json")
    assert done.returncode == 0
    assert [row["pages_dropped"] for row in rows(out)] == [0, 1, 0, 1]
    figures = json.loads((tmp_path / "f.json").read_text())
    assert (figures["pages_dropped"], figures["rows_with_pages_dropped"]) == (2, 2)


def test_balance_leaves_out_what_is_too_many(tmp_path: Path) -> None:
    visits = [
        {"session": f"{action['type']}{number}", "steps": [step(HOME, SEARCH), step(HOME + PRODUCT, action)]}
        for action, count in ((BUY, 60), (SEARCH, 50), (LEAVE, 16))
        for number in range(count)
    ]
    file, out = tmp_path / "s.jsonl", tmp_path / "rl.jsonl"
    file.write_bytes(lines(*visits))
    done = run("data", "rl", file, "--out", out, "--balance", "paper", "--json", tmp_path / "f.json")
    assert done.returncode == 0
    # 16 terminate are 8/30 of 60, of which click and type_and_submit are 22 each.
    kept = Counter(json.loads(row["label"])["type"] for row in rows(out))
    assert kept == {"click": 22, "type_and_submit": 22, "terminate": 16}
    assert json.loads((tmp_path / "f.json").read_text())["rows_left_out_for_balance"] == 66
    run("data", "rl", file, "--out", out, "--balance", "click=0.5,type_and_submit=1/4,terminate=0.25")
    kept = Counter(json.loads(row["label"])["type"] for row in rows(out))
    assert kept == {"click": 32, "type_and_submit": 16, "terminate": 16}


@pytest.mark.parametrize(
    "shares", ["click=1", "click=0.5", "click=x,terminate=1", "click=1/0", "click=2,terminate=-1", ""]
)
def test_a_balance_that_cannot_be_is_wrong_usage(shares: str, good: Path, tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.write_bytes(lines({"session": "a", "steps": [step(HOME, SEARCH), step(HOME, SEARCH)]}))
    done = run("data", "rl", file, "--out", tmp_path / "rl.jsonl", "--balance", shares)
    assert done.returncode == WRONG_USAGE
    assert "--balance" in done.stderr
    assert not (tmp_path / "rl.jsonl").exists()


def test_balance_reads_twice_and_standard_input_cannot_be(tmp_path: Path) -> None:
    done = run("data", "rl", "-", "--out", tmp_path / "rl.jsonl", "--balance", "paper", stdin=lines(shopping()))
    assert done.returncode == WRONG_USAGE
    assert "cannot be read twice" in " ".join(done.stderr.split())
    assert run("data", "rl", "-", "--out", tmp_path / "rl.jsonl", stdin=lines(shopping())).returncode == 0


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_bytes(b"")
    for command in ("sft", "rl"):
        done = run("data", command, tmp_path / "s.jsonl", "--out", tmp_path / "out.jsonl")
        assert done.returncode == BAD_INPUT
        assert "the sessions give no row" in done.stderr


def test_the_built_in_storefront_stands_in_for_a_file(tmp_path: Path) -> None:
    done = run("data", "rl", "--out", tmp_path / "rl.jsonl", "--balance", "paper", "--prompt", "short")
    assert (done.returncode, done.stderr) == (0, "")
    shares = Counter(json.loads(row["label"])["type"] for row in rows(tmp_path / "rl.jsonl"))
    assert abs(shares["click"] / shares.total() - 11 / 30) < 0.001


def test_the_file_that_is_read_is_not_written_over(good: Path) -> None:
    before = good.read_bytes()
    done = run("data", "rl", good, "--out", good)
    assert done.returncode == WRONG_USAGE
    assert good.read_bytes() == before


def test_where_to_write_is_not_guessed() -> None:
    for command in ("sft", "rl"):
        assert "Missing option '--out'" in run("data", command).stderr


def test_a_tokenizer_that_is_none_is_wrong_usage(good: Path, tmp_path: Path) -> None:
    done = run("data", "sft", good, "--out", tmp_path / "s.jsonl", "--tokenizer", tmp_path, COLUMNS="300")
    assert done.returncode == WRONG_USAGE
    assert "tokenizer.json" in done.stderr
