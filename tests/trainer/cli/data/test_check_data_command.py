"""`shop-r1 data check`: everything that is wrong is named, and what is right passes."""

import json
from pathlib import Path

from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run
from tests.trainer.sessions.support import BUY, HOME, LEAVE, OPEN_HAT, PRODUCT, RESULTS, SEARCH, lines, shopping, step


def test_good_sessions_pass_with_their_counts(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(shopping("a", user="u"), shopping("b", user="v")))
    done = run("data", "check", file, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is wrong" in done.stdout
    figures = json.loads((tmp_path / "out.json").read_text())
    assert (figures["sessions"], figures["users"], figures["steps"], figures["faults"]) == (2, 2, 6, {})


def test_every_fault_is_named_with_file_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    wrong = {"session": "b", "steps": [step(HOME, SEARCH), step(PRODUCT, OPEN_HAT)]}
    file.write_bytes(lines(b"{", shopping("a"), wrong, shopping("a"), b'{"session": "\xff", "steps": []}'))
    done = run("data", "check", file)
    assert done.returncode == BAD_INPUT
    told = done.stderr.splitlines()
    for line, fault in (
        (f"{file}:1: not_json", "line 1, column 2"),
        (f"{file}:3, /steps/1/action/name: not_on_page", OPEN_HAT["name"]),
        (f"{file}:4, /session: duplicate_session", "a.jsonl:2"),
        (f"{file}:5, /session: bad_encoding", "UTF-8"),
    ):
        assert any(line in text and fault in text for text in told), (line, told)
    assert "nothing is wrong" not in done.stdout


def test_splits_that_share_a_user_pass_unless_users_are_to_be_kept_apart(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    train.write_bytes(lines(shopping("a", user="u")))
    test.write_bytes(lines({"session": "b", "user": "u", "steps": [step(HOME, LEAVE)]}))
    assert run("data", "check", train, test).returncode == 0
    done = run("data", "check", train, test, "--apart", "user")
    assert done.returncode == BAD_INPUT
    assert f"{test}:1, /user: leaked_user: the user 'u' is in another split, at {train}:1" in done.stderr


def test_pages_stored_after_their_action_are_found_out(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    steps = [step(RESULTS, SEARCH), step(PRODUCT, OPEN_HAT), step("<p>Thank you</p>", BUY)]
    file.write_bytes(lines(*({"session": str(number), "steps": steps} for number in range(20))))
    done = run("data", "check", file, "--allow", "not_on_page", "--allow", "leaked_content")
    assert done.returncode == BAD_INPUT
    assert "0% are on the page of their own row, 100% on the page of the row before" in done.stderr
    assert "pages are stored after their action" in done.stderr


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n")
    done = run("data", "check", tmp_path / "a.jsonl")
    assert done.returncode == BAD_INPUT
    assert "there are no sessions to check" in done.stderr


def test_an_empty_pipe_is_an_error() -> None:
    done = run("data", "check", "-", stdin=b"")
    assert done.returncode == BAD_INPUT
    assert "there are no sessions to check" in done.stderr


def test_standard_input_and_the_built_in_storefront_can_be_checked() -> None:
    assert run("data", "check", "-", stdin=lines(shopping())).returncode == 0
    done = run("data", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1,000" in done.stdout


def test_only_the_first_of_many_faults_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"{\n" * 1_000)
    done = run("data", "check", tmp_path / "a.jsonl")
    assert done.stderr.count("not_json:") == 20
    assert "and 980 more" in done.stderr
    assert "not_json 1,000" in done.stderr


def test_terminal_codes_in_data_do_nothing_to_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2J[red]"
    row = {"session": evil, "steps": [step(PRODUCT, {"type": "click", "name": evil})]}
    (tmp_path / "a.jsonl").write_bytes(lines(row, row))
    done = run("data", "check", tmp_path / "a.jsonl")
    assert "\x1b" not in done.stdout + done.stderr
    assert "[red]" in done.stderr


def test_a_file_that_is_not_there_or_a_fault_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    assert run("data", "check", tmp_path / "absent.jsonl").returncode == WRONG_USAGE
    assert run("data", "check", "--allow", "everything").returncode == WRONG_USAGE


def test_the_file_that_is_checked_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(lines(shopping()))
    assert run("data", "check", file, "--json", file).returncode == WRONG_USAGE
    assert file.read_bytes() == lines(shopping())


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    assert run("data", "check", "-", "--json", tmp_path / "link.json", stdin=lines(shopping())).returncode == 0
    assert json.loads((tmp_path / "target.json").read_text())["sessions"] == 1
    assert (tmp_path / "link.json").is_symlink()
