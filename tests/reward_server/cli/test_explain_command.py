"""`reward-server explain`, run as a user runs it: every term of one reward, and why."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reward_server.cli import app
from reward_server.reward.spec import load_preset
from tests import commands
from tests.commands import REWARD_SERVER, Done
from tests.servers import COMMAND

LABEL = '{"type": "click", "name": "add_to_cart.buy_now"}'
NEARLY = '{"rationale": "I want it.", "action": {"type": "click", "name": "add_to_cart.buy"}}'
"""Four of the label's five tokens: ROUGE-L 2·4/(4+5) = 8/9, over 3/4."""

PLAIN = ("--spec", "shop-r1-no-rationale")
WRONG_USAGE = 2


def run(*arguments: object, **environment: str) -> Done:
    """`reward-server …` on a wide terminal."""
    return commands.run(REWARD_SERVER, *arguments, **{"COLUMNS": "200", **environment})


def explained(file: Path, *arguments: object) -> dict[str, Any]:
    """What the command writes for programs; in this process, for speed."""
    command = ["explain", *map(str, arguments), "--json", str(file)]
    assert CliRunner().invoke(app, command, env={"REWARD_SPEC": None}).exit_code == 0
    return dict(json.loads(file.read_bytes()))


def rows(done: Done) -> list[list[str]]:
    """The cells of the table it prints."""
    lines = [re.split("[│┃]", line)[1:-1] for line in done.stdout.splitlines()]
    return [[cell.strip() for cell in line] for line in lines if line]


def test_the_example_in_the_help_works_as_printed() -> None:
    shown = re.search(r"Example: reward-server (.*\S)", run("explain", "--help").stdout)
    assert shown is not None
    done = run(*shlex.split(shown[1]))
    assert (done.returncode, done.stderr) == (0, "")
    assert ["type", "0.3", "0.3", "'terminate' is the label's type"] in rows(done)


def test_every_term_has_its_line_with_what_it_earned_of_what_it_could(tmp_path: Path) -> None:
    result = explained(tmp_path / "out.json", NEARLY, "--label", LABEL, *PLAIN)
    assert [(line["term"], line["earned"], line["possible"]) for line in result["lines"]] == [
        ("format", 0.5, 0.5),
        ("certainty", 0, 0),
        ("type", 0.3, 0.3),
        ("attribute", 0.2, 0.2),
        ("value", pytest.approx(8000 / 9), 1000),
    ]
    assert all(line["why"] for line in result["lines"])
    assert "2·4/(4+5)" in result["lines"][-1]["why"]
    assert result["reward"] == result["reward_without_certainty"] == pytest.approx(1 + 8000 / 9)
    assert result["spec"] == {"name": PLAIN[1], "digest": load_preset(PLAIN[1]).digest}


def test_a_certainty_that_is_not_known_leaves_the_reward_open(tmp_path: Path) -> None:
    result = explained(tmp_path / "out.json", NEARLY, "--label", LABEL)
    assert result["reward"] is None
    assert result["reward_without_certainty"] == pytest.approx(1 + 8000 / 9)
    footer = ["reward", "889.889 + ?", "1001", "the certainty term is not known; the best is without it"]
    assert footer in rows(run("explain", NEARLY, "--label", LABEL))


def test_a_long_completion_may_come_from_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "explain", "-", "--label", LABEL, "--json", str(tmp_path / "out.json")],
        input=NEARLY.encode(),
        capture_output=True,
        check=True,
    )
    assert b"889.889" in done.stdout
    assert json.loads((tmp_path / "out.json").read_bytes())["lines"][0]["earned"] == 0.5


def test_a_certainty_that_is_given_counts_with_its_weight(tmp_path: Path) -> None:
    result = explained(tmp_path / "out.json", NEARLY, "--label", LABEL, "--certainty", "9.1")
    assert result["lines"][1]["earned"] == pytest.approx(0.0455)
    assert result["reward"] == pytest.approx(1.0455 + 8000 / 9)


@pytest.mark.parametrize("certainty", ["nan", "-1"])
def test_a_certainty_that_no_rationale_can_have_is_wrong_usage(certainty: str) -> None:
    done = run("explain", NEARLY, "--label", LABEL, "--certainty", certainty)
    assert done.returncode == WRONG_USAGE
    assert "--certainty" in done.stderr


def test_the_label_may_be_wrapped_as_it_is_on_the_wire(tmp_path: Path) -> None:
    plain = explained(tmp_path / "plain.json", NEARLY, "--label", LABEL)
    assert explained(tmp_path / "wrapped.json", NEARLY, "--label", f'{{"action": {LABEL}}}') == plain


def test_an_invalid_completion_is_explained_and_is_no_error(tmp_path: Path) -> None:
    result = explained(tmp_path / "out.json", f"Sure! {NEARLY}", "--label", LABEL)
    assert result["reward"] == result["reward_without_certainty"] == 0
    ((line),) = result["lines"]
    assert (line["earned"], line["possible"]) == (0, 0.5)
    assert line["why"].startswith("extra_text: ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([NEARLY, "--label", '{"type": "hover"}'], "hover"),
        ([NEARLY, "--label", "click"], "not a JSON object"),
        ([NEARLY, "--label", LABEL, "--json", "/dev/null/out.json"], "/dev/null/out.json"),
    ],
)
def test_wrong_usage_is_answered_with_2_and_a_reason(arguments: list[str], named: str) -> None:
    done = run("explain", *arguments)
    assert done.returncode == WRONG_USAGE
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_every_figure_is_whole_on_80_columns() -> None:
    done = run("explain", NEARLY, "--label", LABEL, "--certainty", "9.1", COLUMNS="80")
    earned = {cells[0]: cells[1:3] for cells in rows(done) if cells[0]}
    assert earned["value"] == ["888.889", "1000"]
    assert earned["reward"] == ["889.934", "1001"]
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout


def test_what_the_model_wrote_is_shown_as_it_wrote_it() -> None:
    completion = '{"rationale": "", "action": {"type": "[red]click[/]"}}'
    assert "'[red]click[/]' is not the label's type 'click'" in run("explain", completion, "--label", LABEL).stdout


@pytest.mark.parametrize("completion", ['{"\\u001b[2J": 1}', '{"rationale": "", "action": {"type": "\\u001b[2J"}}'])
def test_nothing_the_model_wrote_can_steer_the_terminal(completion: str) -> None:
    done = run("explain", completion, "--label", LABEL)
    assert done.returncode == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout)


def test_a_spec_with_brackets_in_its_names_is_shown_as_it_is_called(tmp_path: Path) -> None:
    spec = tmp_path / "team.toml"
    spec.write_text('name = "team[red]"\n[actions.click]\nfields."[bold]" = { attribute = 1.0 }\n')
    done = run("explain", NEARLY, "--label", '{"type": "click", "[bold]": "x"}', "--spec", spec)
    assert "[bold] is empty or missing" in done.stdout
    assert "Reward under team[red]" in done.stdout
