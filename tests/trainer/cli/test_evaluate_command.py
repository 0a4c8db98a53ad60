"""`shop-r1 evaluate`, run as a user runs it: files in, tables, figures, complaints and exit status out."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Done
from tests.trainer.cli import commands
from tests.trainer.evaluation.support import BLUE, QUICK, RED, SHOPPERS, STOP, content, evaluated, rollout

TABLE_3 = Path(__file__).parents[3] / "examples" / "table3.csv"
GOOD, BAD_INPUT, WRONG_USAGE = 0, 1, 2

FEW = ("--resamples", 100)


def run(*arguments: object, stdin: bytes | None = None, **environment: str) -> Done:
    """`shop-r1 evaluate …`."""
    return commands.run("evaluate", *arguments, stdin=stdin, **environment)


def write(file: Path, *lines: dict[str, Any] | bytes) -> Path:
    """A file of these lines."""
    file.write_bytes(b"".join(line + b"\n" if isinstance(line, bytes) else content([line]) for line in lines))
    return file


def figures(file: Path) -> dict[str, Any]:
    """What `--json` wrote."""
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


@pytest.fixture
def shoppers(tmp_path: Path) -> Path:
    return write(tmp_path / "shoppers.jsonl", *SHOPPERS)


def test_a_file_gives_the_figures_of_the_library(shoppers: Path, tmp_path: Path) -> None:
    done = run(shoppers, *FEW, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stderr) == (GOOD, "")
    expected = {**evaluated(SHOPPERS, QUICK).model_dump(mode="json"), "file": str(shoppers)}
    assert figures(tmp_path / "out.json") == json.loads(json.dumps(expected))


def test_the_tables_fit_80_columns_with_every_figure_whole(shoppers: Path) -> None:
    done = run(shoppers, shoppers, *FEW)
    assert max(map(len, done.stdout.splitlines())) <= max(80, len(str(shoppers)) * 2 + 10)
    tables = [line for line in done.stdout.splitlines() if line[:1] in "┃│┏├└┡"]
    assert max(map(len, tables)) <= 80
    assert "…" not in done.stdout
    for figure in ("28.6", "42.9", "57.1", "72.2", "64.3", "54.2", "29.2", "58.3", "85.7"):
        assert figure in done.stdout
    assert "Rewards are without certainty" in done.stdout


def test_a_baseline_ahead_is_told_in_a_sentence(shoppers: Path) -> None:
    said = " ".join(run(shoppers, *FEW).stdout.split())
    assert "always_terminate scores 42.9 % exact accuracy, the model 28.6 %: the model does not beat it." in said


def test_standard_input_is_read_for_a_dash(tmp_path: Path) -> None:
    done = run("-", *FEW, "--json", tmp_path / "out.json", stdin=content(SHOPPERS))
    assert (done.returncode, figures(tmp_path / "out.json")["file"]) == (GOOD, "standard input")


def test_bad_lines_are_named_and_there_are_no_figures(tmp_path: Path) -> None:
    lines = write(tmp_path / "in.jsonl", SHOPPERS[0], b"{", {**SHOPPERS[1], "step": 0}, SHOPPERS[2])
    done = run(lines, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert f"{lines}:2: the whole line: not JSON" in done.stderr
    assert f"{lines}:3: /step: Input should be greater than or equal to 1" in done.stderr
    assert "cannot be scored: 2 lines" in done.stderr
    assert "--skip-bad leaves them out" in done.stderr
    assert not (tmp_path / "out.json").exists()


def test_a_file_of_bad_lines_alone_has_them_named(tmp_path: Path) -> None:
    lines = write(tmp_path / "in.jsonl", b"{", b"[]")
    for options in ([], ["--skip-bad"]):
        done = run(lines, *options)
        assert (done.returncode, done.stdout) == (BAD_INPUT, "")
        assert f"{lines}:2: the whole line: a rollout is a JSON object" in done.stderr
        assert "no line of it can be scored" in done.stderr


def test_skipped_bad_lines_are_reported_and_left_out(tmp_path: Path) -> None:
    lines = write(tmp_path / "in.jsonl", SHOPPERS[0], *[b"{"] * 25, SHOPPERS[2])
    done = run(lines, *FEW, "--skip-bad", "--json", tmp_path / "out.json")
    assert done.returncode == GOOD
    assert f"left out: 25 lines of {lines}" in done.stderr
    assert "and 5 more" in done.stderr
    found = figures(tmp_path / "out.json")
    assert (found["rollouts"], found["bad_lines"], len(found["first_bad_lines"])) == (2, 25, 20)
    assert found["first_bad_lines"][0]["line"] == 2
    assert "25 lines could not be scored" in " ".join(done.stdout.split())


@pytest.mark.parametrize("options", [(), ("--skip-bad",)])
@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it holds no rollouts"),
        ([b"\n"], "it holds no rollouts"),
        ([SHOPPERS[0], rollout(STOP, STOP)], "line 2 names no session, but line 1 does"),
        ([SHOPPERS[0], SHOPPERS[0] | {"label": STOP}], "lines 1 and 2 give step 1 of one session different labels"),
        ([b"{}"], "no line of it can be scored"),
    ],
)
def test_a_file_that_makes_no_honest_figures_is_refused(
    lines: list[Any], reason: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(write(tmp_path / "in.jsonl", *lines), *options)
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert reason in done.stderr


def test_without_a_file_the_best_policy_on_the_storefront_is_evaluated_and_beats_every_baseline(tmp_path: Path) -> None:
    done = run(*FEW, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stderr) == (GOOD, "")
    found = figures(tmp_path / "out.json")
    assert (found["clustered_by"], found["valid"], found["rivals"]) == ("session", 1, [])
    assert 0.3 < found["exact_accuracy"] < found["type_accuracy"] < 1


def test_several_files_are_compared_with_the_first(shoppers: Path, tmp_path: Path) -> None:
    better = write(tmp_path / "better.jsonl", *({**line, "completion": SHOPPERS[5]["completion"]} for line in SHOPPERS))
    done = run(shoppers, better, shoppers, *FEW, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stderr) == (GOOD, "")
    found = figures(tmp_path / "out.json")
    assert [each["file"] for each in found["runs"]] == [str(shoppers), str(better), str(shoppers)]
    first, second = found["comparisons"]
    assert (first["file"], first["reference"]) == (str(better), str(shoppers))
    assert first["differences"]["exact_accuracy"]["difference"] == pytest.approx(3 / 7 - 2 / 7)
    assert set(second["differences"]) == {
        "exact_accuracy",
        "exact_accuracy_rouge_l",
        "type_accuracy",
        "type_f1_macro",
        "type_f1_weighted",
        "mean_score",
        "mean_reward",
    }
    assert all(each["p_value"] == 1 for each in second["differences"].values())
    assert "+14.3" in done.stdout
    assert "p = min(1, 2 (1 + min(" in done.stdout


def test_a_small_p_is_never_shown_as_zero(tmp_path: Path) -> None:
    files = [
        write(tmp_path / f"{action['type']}.jsonl", *(rollout(STOP, action, session=f"s{n}") for n in range(30)))
        for action in (RED, STOP)
    ]
    done = run(*files, "--resamples", 100_000)
    assert "< 0.0001" in done.stdout
    assert "0.0000" not in done.stdout


def test_a_run_has_the_same_figures_alone_and_in_company(shoppers: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.jsonl", *reversed(SHOPPERS))
    run(other, *FEW, "--json", tmp_path / "alone.json")
    run(shoppers, other, *FEW, "--json", tmp_path / "both.json")
    assert figures(tmp_path / "both.json")["runs"][1] == figures(tmp_path / "alone.json")


def test_runs_on_other_labels_are_refused(shoppers: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.jsonl", *SHOPPERS[:-1])
    done = run(shoppers, other, *FEW)
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert f"the terminate label on line 7 of {shoppers} has no counterpart in the same session" in done.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--resamples", "0"], "--resamples"),
        (["--resamples", "1000000000"], "--resamples"),
        (["--resamples", "nan"], "--resamples"),
        (["--seed", "-1"], "--seed"),
        (["--seed", "9223372036854775808"], "--seed"),
        (["--confidence", "nan"], "--confidence"),
        (["--confidence", "1"], "--confidence"),
        (["--confidence", "-0.5"], "--confidence"),
        (["--confidence", "inf"], "--confidence"),
        (["--spec", "missing"], "missing"),
        (["--json", "/dev/null/out.json"], "/dev/null/out.json"),
        (["--report", "/dev/null/out.html"], "/dev/null/out.html"),
        (["--markdown", "/dev/null/out.md"], "/dev/null/out.md"),
        (["--table", "x.csv"], "a published table is checked by itself"),
        (["missing.jsonl"], "missing.jsonl: No such file"),
        (["-", "-"], "only once"),
    ],
)
def test_wrong_usage_is_answered_with_2_and_a_reason(options: list[str], named: str, shoppers: Path) -> None:
    done = run(shoppers, *options, COLUMNS="200")
    assert done.returncode == WRONG_USAGE
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_the_largest_options_are_as_good_as_any(shoppers: Path, tmp_path: Path) -> None:
    done = run(shoppers, "--seed", 2**63 - 1, "--resamples", 100_000, "--json", tmp_path / "out.json")
    assert (done.returncode, figures(tmp_path / "out.json")["bootstrap"]["seed"]) == (GOOD, 2**63 - 1)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens but cannot be read")
@pytest.mark.parametrize("option", [[], ["--table"]])
def test_a_file_that_fails_in_mid_read_is_told_in_a_sentence(option: list[str]) -> None:
    done = run(*option, "/proc/self/mem")
    assert done.returncode == WRONG_USAGE
    assert "/proc/self/mem: Input/output error" in " ".join(done.stderr.split())


@pytest.mark.parametrize("option", ["--json", "--report", "--markdown"])
def test_the_files_being_read_are_never_written_over(option: str, shoppers: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.jsonl", *SHOPPERS)
    done = run(shoppers, other, option, other)
    assert done.returncode == WRONG_USAGE
    assert other.read_bytes() == content(SHOPPERS)


def test_two_outputs_cannot_go_to_one_file(shoppers: Path, tmp_path: Path) -> None:
    done = run(shoppers, "--json", tmp_path / "out", "--report", tmp_path / "out", COLUMNS="300")
    assert (done.returncode, "already taken by --json" in " ".join(done.stderr.split())) == (WRONG_USAGE, True)


def test_the_example_rollouts_evaluate(examples: Path) -> None:
    assert run(examples, *FEW).returncode == GOOD


def test_reports_are_written_beside_the_figures(shoppers: Path, tmp_path: Path) -> None:
    done = run(shoppers, shoppers, *FEW, "--report", tmp_path / "out.html", "--markdown", tmp_path / "out.md")
    assert (done.returncode, done.stderr) == (GOOD, "")
    for report in ("out.html", "out.md"):
        assert "always_terminate" in (tmp_path / report).read_text(encoding="utf-8").replace("\\_", "_")


def test_a_table_has_no_report(tmp_path: Path) -> None:
    done = run("--table", TABLE_3, "--report", tmp_path / "out.html")
    assert (done.returncode, "reports are on rollouts" in " ".join(done.stderr.split())) == (WRONG_USAGE, True)


def test_nothing_in_a_rollout_can_steer_the_terminal(tmp_path: Path) -> None:
    strange = {"type": "\x1b[2J\u202e[bold]", "name": "\x1b]0;owned\x07"}
    lines = [rollout(RED, strange, session="\x1b[2J日本"), rollout(BLUE, BLUE, session="s")]
    bad = b'{"completion": "x", "label": {"type": "\\u001b[2J[bold]"}}'
    done = run(
        write(tmp_path / "in\x1b[2J[bold].jsonl", *lines, bad), *FEW, "--skip-bad", "--json", tmp_path / "out.json"
    )
    assert done.returncode == GOOD
    assert "[bold]" in done.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)
    assert figures(tmp_path / "out.json")["mistakes"][0]["prediction"] == strange


def test_a_spec_with_long_and_bracketed_types_is_shown_whole(tmp_path: Path) -> None:
    spec = tmp_path / "team.toml"
    spec.write_text(f'name = "team[red]"\n[actions."[bold]stop"]\ntype = 1.0\n[actions."{"x" * 64}"]\ntype = 1.0\n')
    stop, long = {"type": "[bold]stop"}, {"type": "x" * 64}
    done = run(write(tmp_path / "in.jsonl", rollout(stop, long), rollout(long, long)), *FEW, "--spec", spec)
    assert done.returncode == GOOD
    assert "[bold]stop" in done.stdout
    tables = [line for line in done.stdout.splitlines() if line[:1] in "┃│┏├└┡"]
    assert max(map(len, tables)) <= 80
    assert done.stdout.count("100") > 1


def test_a_file_name_that_is_not_unicode_is_no_reason_to_fail(tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"\xff.jsonl")
    try:
        write(name, *SHOPPERS)
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    done = run(name, *FEW, "--json", tmp_path / "out.json")
    assert (done.returncode, figures(tmp_path / "out.json")["file"]) == (GOOD, f"{tmp_path}/?.jsonl")


def test_a_terminal_without_unicode_still_gets_the_tables(shoppers: Path) -> None:
    done = run(shoppers, *FEW, PYTHONIOENCODING="ascii")
    assert (done.returncode, "57.1" in done.stdout) == (GOOD, True)


def test_the_papers_table_is_checked_and_two_runs_do_not_fit(tmp_path: Path) -> None:
    done = run("--table", TABLE_3, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stderr) == (BAD_INPUT, "")
    cells = [line.split("│") for line in done.stdout.splitlines()]
    rows = {row[1].strip(): row[-2].strip() for row in cells if len(row) == 8}
    assert rows["3B Shop-R1"] == "fits if cut"
    assert rows["1.5B Shop-R1"] == "fits"
    assert rows["0.5B Shop-R1"] == rows["3B zero-shot"] == "does not fit"
    found = figures(tmp_path / "out.json")
    assert not found["fits"]
    assert [each["run"] for each in found["runs"] if each["exact_accuracy"]["fits"] is False] == [
        "3B zero-shot",
        "0.5B Shop-R1",
    ]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_an_impossible_table_is_refused_naming_the_row(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("run,type,rollouts,exact_count,type_count\nours\x1b[2J,click,10,5,4\n")
    done = run("--table", table, "--json", tmp_path / "out.json")
    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert r"row 1 (ours\x1b[2J, click): exact_count '5' is above type_count '4'" in " ".join(done.stderr.split())
    assert not (tmp_path / "out.json").exists()


def test_a_table_that_fits_exits_with_0_and_comes_from_standard_input_too(tmp_path: Path) -> None:
    table = b"\xef\xbb\xbfrun,type,rollouts,exact_count,type_count,published_type_percent\r\nours,click,3,1,2,66.7\r\n"
    done = run("--table", "-", stdin=table)
    assert (done.returncode, done.stderr) == (GOOD, "")
    assert " fits " in done.stdout
