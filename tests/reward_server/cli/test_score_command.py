"""`reward-server score`, run as a user runs it: files in, results, summary, complaints and exit status out."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reward_server import wire
from tests import commands
from tests.commands import REWARD_SERVER, Done
from tests.servers import COMMAND, Server

BUY_NOW = '{"rationale": "It fits my budget.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}'
STOP = '{"rationale": "I am done.", "action": {"type": "terminate"}}'
CLICK, TERMINATE = {"type": "click", "name": "add_to_cart.buy_now"}, {"type": "terminate"}
GOOD = json.dumps({"completion": STOP, "label": TERMINATE}).encode()

PLAIN = ("--spec", "shop-r1-no-rationale")
WRONG_USAGE = 2


def run(*arguments: object, stdin: bytes | None = None, cwd: Path | None = None, **environment: str) -> Done:
    """`reward-server …` on a wide terminal."""
    return commands.run(REWARD_SERVER, *arguments, stdin=stdin, cwd=cwd, **{"COLUMNS": "200", **environment})


def write(file: Path, *lines: bytes | dict[str, Any]) -> Path:
    """A rollout file of these lines."""
    encoded = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    file.write_bytes(b"".join(line + b"\n" for line in encoded))
    return file


def results(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def complaints(done: Done) -> dict[int, str]:
    """Line number -> what standard error says of it."""
    return {int(number): text for number, text in re.findall(r"^ *line (\d+): (.*)$", done.stderr, re.MULTILINE)}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(tmp_path / "good.jsonl", GOOD)


def test_the_example_in_the_help_works_as_printed(examples: Path, tmp_path: Path) -> None:
    shown = re.search(r"Example: reward-server (.*\S)", run("score", "--help").stdout)
    assert shown is not None
    (tmp_path / "examples").symlink_to(examples.parent)
    assert run(*shlex.split(shown[1]), cwd=tmp_path).returncode == 0
    assert len(results(tmp_path / "scored.jsonl")) == len(examples.read_bytes().splitlines())


def test_a_clean_file_exits_with_0_and_leaves_standard_error_empty(good: Path) -> None:
    done = run("score", good, *PLAIN)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_means_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    rollouts = write(
        tmp_path / "four.jsonl",
        {"completion": BUY_NOW, "label": CLICK},  # 0.5 + 0.3 + 0.2 + 1000
        {"completion": BUY_NOW.replace(".buy_now", ""), "label": CLICK},  # ROUGE-L 6/8 does not exceed 3/4
        {"completion": STOP, "label": TERMINATE},  # 0.5 + 0.3
        {"completion": f"```json\n{STOP}\n```", "label": TERMINATE},
    )
    done = run("score", rollouts, *PLAIN, "--json", tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_bytes())
    assert summary["by_label_type"]["click"] == {
        "rollouts": 2,
        "valid": 1,
        "type_match": 1,
        "exact_match": 0.5,
        "reward": pytest.approx((1001 + 1) / 2),
        "score": pytest.approx((1 + 1 / 1001) / 2),
        "terms": pytest.approx({"format": 0.5, "certainty": 0, "type": 0.3, "attribute": 0.2, "value": 500}),
        "invalid": {},
    }
    assert summary["by_label_type"]["terminate"] == {
        "rollouts": 2,
        "valid": 0.5,
        "type_match": 0.5,
        "exact_match": 0.5,
        "reward": pytest.approx(0.4),
        "score": 0.5,
        "terms": pytest.approx({"format": 0.25, "certainty": 0, "type": 0.15, "attribute": 0, "value": 0}),
        "invalid": {"extra_text": 1},
    }
    assert (summary["all"]["rollouts"], summary["all"]["reward"]) == (4, pytest.approx((1001 + 1 + 0.8) / 4))
    assert summary["all"]["invalid"] == {"extra_text": 1}
    assert (summary["bad_lines"], summary["first_bad_lines"]) == (0, [])
    assert summary["spec"]["name"] == "shop-r1-no-rationale"
    assert summary["spec"]["digest"] in done.stdout
    assert {"501", "250.7"} <= set(re.split(r"[\s│]+", done.stdout))


def test_out_has_the_results_that_a_server_answers_and_their_lines(
    examples: Path, certainty_server: Server, tmp_path: Path
) -> None:
    done = run("score", examples, "--out", tmp_path / "out.jsonl")
    assert done.returncode == 0
    rollouts = [json.loads(line) for line in examples.read_bytes().splitlines()]
    answer = certainty_server.post(json={"rollouts": rollouts}).json()
    numbered = [{"line": number, **result} for number, result in enumerate(answer["results"], 1)]
    assert results(tmp_path / "out.jsonl") == numbered
    assert set(numbered[0]) == {"line", *wire.Result.model_fields}


def test_every_bad_line_is_named_with_its_place_and_the_good_ones_are_scored(tmp_path: Path) -> None:
    bad: list[tuple[bytes | dict[str, Any], str, str]] = [
        (b'{"completion": ', "the whole line", "not JSON"),
        (b"[1]", "the whole line", "a rollout is a JSON object"),
        ({"completion": STOP}, "/label", "required"),
        ({"completion": 7, "label": TERMINATE}, "/completion", "string"),
        ({"completion": STOP, "label": {"type": "hover"}}, "/label/type", "'hover'"),
        ({"completion": STOP, "label": {"action": {"type": "click"}}}, "/label/action/name", "'name'"),
        ({"completion": STOP, "label": "{}"}, "/label", "no type"),
        (b'{"completion": "x", "label": {"type": "click", "name": "\xff"}}', "/label/name", "UTF-8"),
        (b'{"completion": "x", "label": {"type": "terminate"}, "x~/y": NaN}', "/x~0~1y", "finite"),
    ]
    rollouts = write(tmp_path / "mixed.jsonl", GOOD, *(line for line, _, _ in bad), GOOD)
    done = run("score", rollouts, *PLAIN, "--out", tmp_path / "out.jsonl", "--json", tmp_path / "summary.json")
    assert done.returncode == 1
    assert [(line["line"], line["reward"]) for line in results(tmp_path / "out.jsonl")] == [(1, 0.8), (11, 0.8)]
    said = complaints(done)
    assert list(said) == list(range(2, 11))
    for number, (_, place, reason) in enumerate(bad, 2):
        assert said[number].startswith(f"{place}: ")
        assert reason in said[number]
    summary = json.loads((tmp_path / "summary.json").read_bytes())
    assert (summary["bad_lines"], summary["all"]["rollouts"]) == (9, 2)
    places = [(line["line"], line["pointer"] or "the whole line") for line in summary["first_bad_lines"]]
    assert places == [(number, place) for number, (_, place, _) in enumerate(bad, 2)]


def test_a_file_of_bad_lines_does_not_flood_the_terminal(tmp_path: Path) -> None:
    done = run("score", write(tmp_path / "bad.jsonl", *[b"?"] * 1_025), *PLAIN)
    assert done.returncode == 1
    assert "1,025 lines" in done.stderr
    assert "1,005 more" in done.stderr
    assert list(complaints(done)) == list(range(1, 21))


def test_a_spec_that_weighs_certainty_makes_a_rollout_without_evidence_a_bad_line(good: Path) -> None:
    done = run("score", good)
    assert done.returncode == 1
    assert complaints(done)[1].startswith("/certainty: ")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (GOOD + b"\n\n  \t\n" + GOOD, [1, 4]),
        (b"\r\n" + GOOD + b"\r\n" + GOOD + b"\r\n", [2, 3]),
        (b"\n \n", []),
        (b"", []),
    ],
    ids=["blank lines, no final newline", "CRLF", "only blank lines", "empty"],
)
def test_line_ends_and_blank_lines_are_taken_as_they_come(content: bytes, lines: list[int], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(content)
    options = ("--out", tmp_path / "out.jsonl", "--json", tmp_path / "summary.json")
    assert run("score", tmp_path / "in.jsonl", *PLAIN, *options).returncode == 0
    assert [(line["line"], line["reward"]) for line in results(tmp_path / "out.jsonl")] == [(n, 0.8) for n in lines]
    total = json.loads((tmp_path / "summary.json").read_bytes())["all"]
    assert (total and total["rollouts"]) == (len(lines) or None)


def test_a_dash_reads_standard_input(tmp_path: Path) -> None:
    done = run("score", "-", *PLAIN, "--out", tmp_path / "out.jsonl", stdin=GOOD + b"\n\n?\n" + GOOD)
    assert done.returncode == 1
    assert list(complaints(done)) == [3]
    assert [line["line"] for line in results(tmp_path / "out.jsonl")] == [1, 4]


def test_a_byte_order_mark_costs_no_line_in_silence(tmp_path: Path) -> None:
    rollouts = write(tmp_path / "bom.jsonl", b"\xef\xbb\xbf" + GOOD, GOOD)
    done = run("score", rollouts, *PLAIN, "--out", tmp_path / "out")
    assert {line["line"] for line in results(tmp_path / "out")} | set(complaints(done)) == {1, 2}
    assert all("BOM" in complaint for complaint in complaints(done).values())


def test_bytes_that_are_not_utf8_inside_the_models_text_are_the_models_doing(tmp_path: Path) -> None:
    broken = GOOD.replace(b"I am done.", b"I am d\xffne.")
    done = run("score", write(tmp_path / "in.jsonl", broken), *PLAIN, "--out", tmp_path / "out")
    assert done.returncode == 0
    assert [(line["reward"], line["reason"]) for line in results(tmp_path / "out")] == [(0, "not_json")]


def test_the_folder_of_an_output_is_made(good: Path, tmp_path: Path) -> None:
    done = run("score", good, *PLAIN, "--out", tmp_path / "new" / "folder" / "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert len(results(tmp_path / "new" / "folder" / "out.jsonl")) == len(good.read_bytes().splitlines())


def test_the_flag_wins_over_the_variable_and_the_variable_over_the_default(good: Path, tmp_path: Path) -> None:
    by_flag = run("score", good, *PLAIN, REWARD_SPEC="binary")
    by_variable = run("score", good, REWARD_SPEC="binary")
    assert (by_flag.stdout.split()[1], by_variable.stdout.split()[1]) == ("shop-r1-no-rationale", "binary")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["missing.jsonl"], "missing.jsonl: No such file"),
        (["."], "directory"),
        (["good.jsonl", "--out", "/dev/null/out.jsonl"], "/dev/null/out.jsonl"),
        (["good.jsonl", "--json", "/dev/null/summary.json"], "/dev/null/summary.json"),
        (["good.jsonl", "--spec", "shop-r1-kl-from-uniform"], "kl_from_uniform"),
    ],
)
def test_wrong_usage_is_answered_with_2_and_a_reason(arguments: list[str], named: str, good: Path) -> None:
    done = run("score", *arguments, cwd=good.parent)
    assert done.returncode == WRONG_USAGE
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("option", "link"), [("--out", False), ("--out", True), ("--json", False)])
def test_the_file_being_read_is_never_written_over(option: str, link: bool, good: Path) -> None:
    target = good
    if link:
        target = good.with_name("link.jsonl")
        target.hardlink_to(good)
    done = run("score", good, *PLAIN, option, target)
    assert good.read_bytes() == GOOD + b"\n"
    assert done.returncode == WRONG_USAGE
    assert option in done.stderr


def test_the_file_behind_standard_input_is_never_written_over(good: Path) -> None:
    with good.open("rb") as stdin:
        done = subprocess.run([*COMMAND, "score", "-", *PLAIN, "--out", good], stdin=stdin, capture_output=True)
    assert good.read_bytes() == GOOD + b"\n"
    assert done.returncode == WRONG_USAGE


def test_results_and_summary_cannot_go_to_one_file(good: Path, tmp_path: Path) -> None:
    done = run("score", good, *PLAIN, "--out", tmp_path / "both", "--json", tmp_path / "both")
    assert done.returncode == WRONG_USAGE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("option", ["--out", "--json"])
def test_a_full_disk_is_told_in_a_sentence(option: str, good: Path) -> None:
    done = run("score", good, *PLAIN, option, "/dev/full")
    assert done.returncode != 0
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_summary_fits_80_columns_with_every_figure_whole(examples: Path) -> None:
    done = run("score", examples, *PLAIN, COLUMNS="80")
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80
    assert "…" not in done.stdout


def test_a_terminal_without_unicode_still_gets_the_summary(examples: Path) -> None:
    done = run("score", examples, *PLAIN, PYTHONIOENCODING="ascii")
    assert (done.returncode, "invalid: not_json" in done.stdout) == (0, True)


def test_nothing_in_a_rollout_can_steer_the_terminal(tmp_path: Path) -> None:
    line = b'{"completion": "x", "label": {"type": "\\u001b[2J"}, "\\u001b]0;owned\\u0007": NaN}'
    unknown_type = {"completion": "x", "label": {"type": "\x1b[2J\u202e[bold]"}}
    done = run("score", write(tmp_path / "in.jsonl", line, unknown_type), *PLAIN)
    assert list(complaints(done)) == [1, 2]
    assert "[bold]" in complaints(done)[2]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)


def test_a_spec_with_brackets_in_its_names_is_shown_as_it_is_called(tmp_path: Path) -> None:
    spec = tmp_path / "team.toml"
    spec.write_text('name = "team[red]"\n[actions."[bold]stop"]\ntype = 1.0\n')
    rollouts = write(tmp_path / "in.jsonl", {"completion": STOP, "label": {"type": "[bold]stop"}})
    done = run("score", rollouts, "--spec", spec)
    assert done.returncode == 0
    assert "team[red]" in done.stdout
    assert "[bold]stop" in done.stdout


def peak_memory(*arguments: object) -> int:
    """Bytes that `reward-server …`, which must succeed, held at its peak."""
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.e2e
@pytest.mark.parametrize("prompt_length", [300, 100_000], ids=["short lines", "lines with a 32k-token prompt"])
def test_the_size_of_a_file_costs_no_memory(prompt_length: int, tmp_path: Path) -> None:
    line = json.dumps({"completion": STOP, "label": TERMINATE, "prompt": "x" * prompt_length}).encode() + b"\n"
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    small.write_bytes(line * (2**20 // len(line) + 1))
    with large.open("wb") as stream:
        stream.writelines(small.read_bytes() for _ in range(200))
    before, after = (peak_memory("score", file, *PLAIN, "--out", tmp_path / "out.jsonl") for file in (small, large))
    assert after - before < 128 * 2**20


@pytest.mark.e2e
def test_a_line_of_300_megabytes_is_named_and_the_next_one_scored(tmp_path: Path) -> None:
    rollouts = tmp_path / "long.jsonl"
    with rollouts.open("wb") as stream:
        stream.write(GOOD + b'\n{"completion": "')
        stream.writelines(b"x" * 2**20 for _ in range(300))
        stream.write(b'"}\n' + GOOD)
    done = run("score", rollouts, *PLAIN, "--out", tmp_path / "out.jsonl")
    assert done.returncode == 1
    assert list(complaints(done)) == [2]
    assert "268,435,456 bytes" in complaints(done)[2]
    assert [line["line"] for line in results(tmp_path / "out.jsonl")] == [1, 3]


def test_results_appear_under_their_name_only_once_they_are_whole(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("from an earlier run")
    process = subprocess.Popen(
        [*COMMAND, "score", "-", *PLAIN, "--out", str(tmp_path / "out.jsonl")],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write((GOOD + b"\n") * 1_000)
    process.stdin.flush()
    while not (tmp_path / "out.jsonl.part").exists():
        pass
    process.terminate()
    process.wait(timeout=60)
    process.stdin.close()
    assert (tmp_path / "out.jsonl").read_text() == "from an earlier run"
