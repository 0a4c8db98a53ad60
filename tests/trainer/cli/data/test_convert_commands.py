"""`shop-r1 data opera` and `shop-r1 data shopcart`: tables in, sessions out, and what was found told."""

import json
from pathlib import Path

from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run
from tests.trainer.sessions.readers.test_opera import ROWS, SESSION, table
from tests.trainer.sessions.readers.test_shopcart import AFTER, BEFORE, rows, write
from tests.trainer.sessions.support import BUY, OPEN_HAT, PRODUCT, RESULTS, SEARCH


def test_opera_becomes_sessions_that_pass_the_check(tmp_path: Path) -> None:
    out = tmp_path / "sessions.jsonl"
    done = run("data", "opera", table(tmp_path / "a.parquet", ROWS), "--out", out, "--json", tmp_path / "f.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no such type: 'tab_activate', 1 times" in done.stdout
    (session,) = [json.loads(line) for line in out.open()]
    assert (session["session"], len(session["steps"])) == (SESSION, 4)
    assert json.loads((tmp_path / "f.json").read_text())["left_out_types"] == {"tab_activate": 1}
    assert run("data", "check", out, "--spec", "opera").returncode == 0


def test_shopcart_says_how_its_pages_are_stored_and_pairs_them(tmp_path: Path) -> None:
    out = tmp_path / "sessions.jsonl"
    for pages, verdict in ((AFTER, "after"), (BEFORE, "before")):
        file = write(tmp_path / "a.jsonl", rows(pages))
        done = run("data", "shopcart", file, "--out", out, "--json", tmp_path / "f.json", COLUMNS="300")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"so pages are stored {verdict} their action" in done.stdout
        assert json.loads((tmp_path / "f.json").read_text())["pages_stored"] == verdict
        session = json.loads(out.open().readline())
        assert [(item["html"], item["action"]) for item in session["steps"][1:]] == [
            (RESULTS, OPEN_HAT),
            (PRODUCT, BUY),
        ]
        assert session["steps"][0]["action"] == SEARCH
        assert run("data", "check", out).returncode == 0


def test_shopcart_that_does_not_say_how_its_pages_are_stored_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(AFTER, sessions=2))
    done = run("data", "shopcart", file, "--out", tmp_path / "s.jsonl")
    assert done.returncode == BAD_INPUT
    assert "a clear difference are needed" in " ".join(done.stderr.split())
    assert not (tmp_path / "s.jsonl").exists()
    assert run("data", "shopcart", file, "--out", tmp_path / "s.jsonl", "--pages", "after").returncode == 0


def test_broken_rows_are_named_and_can_be_skipped(tmp_path: Path) -> None:
    content = rows(BEFORE)
    content[4]["html"] = 5
    file, out = write(tmp_path / "a.jsonl", content), tmp_path / "s.jsonl"
    done = run("data", "shopcart", file, "--out", out)
    assert done.returncode == BAD_INPUT
    assert f"{file}:5: bad_field: html: a page is a text, not int" in done.stderr.replace(", /:", ":")
    assert not out.exists()
    assert run("data", "shopcart", file, "--out", out, "--skip-bad").returncode == 0


def test_a_table_of_something_else_is_refused_with_its_columns(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [{"colour": "red"}])
    for command in ("opera", "shopcart"):
        done = run("data", command, file, "--out", tmp_path / "s.jsonl")
        assert done.returncode == BAD_INPUT
        assert "there are colour" in " ".join(done.stderr.split())
    (tmp_path / "a.parquet").write_text("no table")
    assert run("data", "opera", tmp_path / "a.parquet").returncode == BAD_INPUT


def test_the_file_that_is_read_is_not_written_over(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(BEFORE))
    before = file.read_bytes()
    assert run("data", "shopcart", file, "--out", file).returncode == WRONG_USAGE
    assert run("data", "shopcart", file, "--out", tmp_path / "s", "--json", file).returncode == WRONG_USAGE
    assert run("data", "shopcart", file, "--out", tmp_path / "s", "--json", tmp_path / "s").returncode == WRONG_USAGE
    assert file.read_bytes() == before


def test_a_column_that_is_no_use_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(BEFORE))
    done = run("data", "shopcart", file, "--column", "colour=html", "--out", tmp_path / "s.jsonl")
    assert done.returncode == BAD_INPUT
    assert "no use 'colour' for a column" in " ".join(done.stderr.split())
