"""`shop-r1 data storefront`."""

import json
from pathlib import Path

from tests.trainer.cli.commands import WRONG_USAGE, run


def test_it_writes_sessions_that_pass_the_check_and_tells_the_best_achievable_accuracy(tmp_path: Path) -> None:
    out = tmp_path / "s.jsonl"
    done = run("data", "storefront", out, "--sessions", 300, "--seed", 5, "--json", tmp_path / "f.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Best achievable accuracy" in done.stdout
    figures = json.loads((tmp_path / "f.json").read_text())
    assert 0 < figures["ceiling"]["exact"] < figures["ceiling"]["type"] < 1
    assert figures["ceiling"]["exact_with_persona"] >= figures["ceiling"]["exact"]
    assert len(out.read_bytes().splitlines()) == 300
    assert run("data", "check", out).returncode == 0


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("data", "storefront", tmp_path / name, "--sessions", 20, "--seed", seed).returncode == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_full_pages_come_raw_on_request(tmp_path: Path) -> None:
    done = run("data", "storefront", tmp_path / "s.jsonl", "--sessions", 2, "--size", "full", "--raw")
    assert done.returncode == 0
    for line in (tmp_path / "s.jsonl").open():
        for step in json.loads(line)["steps"]:
            assert len(step["raw_html"]) > 5 * len(step["html"])


def test_no_sessions_at_all_is_wrong_usage(tmp_path: Path) -> None:
    assert run("data", "storefront", tmp_path / "s.jsonl", "--sessions", 0).returncode == WRONG_USAGE


def test_every_data_command_has_help_with_an_example() -> None:
    for command in ("storefront", "opera", "shopcart", "simplify", "split", "check", "sft", "rl", "rationales"):
        done = run("data", command, "--help", COLUMNS="200")
        assert done.returncode == 0, command
        assert f"Example: shop-r1 data {command}" in done.stdout, command
