"""`reward-server spec list | show | diff`, and what the command line as a whole owes its users."""

import hashlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reward_server import __version__
from reward_server.cli import app
from reward_server.reward.spec import preset_names
from tests import commands
from tests.commands import REWARD_SERVER, Done

WRONG_USAGE = 2


def run(*arguments: object, cwd: Path | None = None, **environment: str) -> Done:
    """`reward-server …` on a wide terminal."""
    return commands.run(REWARD_SERVER, *arguments, cwd=cwd, **{"COLUMNS": "200", **environment})


def written(file: Path, *arguments: object) -> Any:
    """What the command writes for programs; in this process, for speed."""
    done = CliRunner().invoke(app, ["spec", *map(str, arguments), "--json", str(file)])
    assert done.exit_code == 0
    return json.loads(file.read_bytes())


def differences(file: Path, first: object, second: object) -> dict[str, tuple[object, object]]:
    found = written(file, "diff", first, second)["differences"]
    return {key: (change["first"], change["second"]) for key, change in found.items()}


@pytest.mark.parametrize("command", ["serve", "spec"])
def test_the_help_of_a_command_that_no_test_can_run_as_printed_has_an_example_too(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"Usage: reward-server {command} " in done.stdout
    assert f"Example: reward-server {command} " in done.stdout


def test_the_help_names_every_command() -> None:
    shown = run("--help").stdout
    assert [name for name in ("serve", "score", "explain", "spec") if not re.search(rf"│ {name} ", shown)] == []


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize("arguments", [["spec"], ["spec", "lst"]])
def test_a_command_line_that_means_nothing_is_wrong_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == WRONG_USAGE
    assert "Usage: reward-server" in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["list", "show", "diff"])
def test_the_example_in_the_help_works_as_printed(command: str, tmp_path: Path) -> None:
    shown = re.search(r"Example: reward-server (.*\S)", run("spec", command, "--help").stdout)
    assert shown is not None
    (tmp_path / "mine.toml").write_text('extends = "shop-r1"\nname = "mine"\ndars = 10.0\n')
    done = run(*shlex.split(shown[1]), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "dars" in done.stdout or command == "list"


def test_list_has_every_preset_the_papers_own_first_with_the_digest_that_show_gives(tmp_path: Path) -> None:
    listed = written(tmp_path / "list.json", "list")
    assert [spec["name"] for spec in listed] == list(preset_names())
    assert listed[0]["name"] == "shop-r1"
    assert len({spec["digest"] for spec in listed}) == len(listed)
    assert all(spec["description"] for spec in listed)
    assert written(tmp_path / "show.json", "show", "shop-r1")["digest"] == listed[0]["digest"]


def test_list_shows_whole_names_and_descriptions_on_80_columns(tmp_path: Path) -> None:
    shown = run("spec", "list", COLUMNS="80").stdout
    listed = written(tmp_path / "list.json", "list")
    missing = {word for spec in listed for word in (spec["name"], *spec["description"].split()) if word not in shown}
    assert missing == set()


def test_show_gives_the_papers_figures(tmp_path: Path) -> None:
    spec = written(tmp_path / "show.json", "show", "shop-r1")["spec"]
    assert spec["dars"] == 1000
    assert spec["format"]["weight"] == 0.5
    assert spec["certainty"] == {"kind": "kl_to_uniform", "weight": 0.005}
    assert spec["similarity"] == {"tokenizer": "rouge-score", "threshold": 0.75, "strict": True}
    assert {name: rule["type"] for name, rule in spec["actions"].items()} == dict.fromkeys(
        ["click", "terminate", "type_and_submit"], 0.3
    )
    assert spec["actions"]["terminate"]["fields"] == {}
    assert spec["actions"]["click"]["fields"] == {"name": {"attribute": 0.2, "value": 1, "dars": True}}
    assert spec["actions"]["type_and_submit"]["fields"] == {
        "name": {"attribute": 0.1, "value": 0.1, "dars": False},
        "text": {"attribute": 0.1, "value": 1, "dars": True},
    }


def test_the_digest_is_the_hash_of_what_show_writes(tmp_path: Path) -> None:
    shown = written(tmp_path / "show.json", "show", "customer-r1")
    canonical = json.dumps(shown["spec"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert shown["digest"] == f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def test_show_prints_every_setting_and_the_whole_digest_on_80_columns(tmp_path: Path) -> None:
    done = run("spec", "show", "shop-r1", COLUMNS="80")
    assert written(tmp_path / "show.json", "show", "shop-r1")["digest"] in done.stdout
    assert "actions.type_and_submit.fields.text.attribute" in done.stdout
    assert "…" not in done.stdout


@pytest.mark.parametrize(
    ("ablation", "changes"),
    [
        ("shop-r1-no-dars", {"dars": (1000, 1)}),
        ("shop-r1-no-format", {"format.weight": (0.5, 0)}),
        ("shop-r1-no-rationale", {"certainty.weight": (0.005, 0), "certainty.kind": ("kl_to_uniform", None)}),
        ("shop-r1", {}),
    ],
)
def test_an_ablation_differs_from_the_paper_in_just_what_it_is_named_for(
    ablation: str, changes: dict[str, tuple[object, object]], tmp_path: Path
) -> None:
    assert differences(tmp_path / "diff.json", "shop-r1", ablation) == changes


def test_two_specs_that_mean_the_same_have_no_difference(tmp_path: Path) -> None:
    twin = tmp_path / "twin.toml"
    twin.write_text('extends = "shop-r1"\nname = "twin"\ndescription = "other words"\nsimilarity.threshold = 0.75\n')
    done = run("spec", "diff", "shop-r1", twin)
    assert done.returncode == 0
    assert "shop-r1 and twin mean the same: sha256:" in done.stdout


def test_a_field_that_only_one_spec_has_is_a_difference(tmp_path: Path) -> None:
    changed = differences(tmp_path / "diff.json", "shop-r1", "opera")
    assert changed["actions.input.fields.text.value"] == (None, 1)
    assert changed["actions.type_and_submit.fields.text.value"] == (1, None)
    assert not any(key.startswith(("actions.click", "actions.terminate", "certainty")) for key in changed)


def test_diff_shows_whole_settings_on_80_columns() -> None:
    shown = run("spec", "diff", "shop-r1", "opera", COLUMNS="80").stdout
    assert "actions.type_and_submit.fields.text.attribute" in shown
    assert "…" not in shown


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, ["no such file"]),
        ('name = "x"', ["actions: field required"]),
        ('extends = "shop-r1"\nname = "x"\ndarts = 1.0\nformat.weight = -1.0', ["darts", "format.weight"]),
    ],
)
def test_a_spec_that_cannot_be_read_is_wrong_usage_and_every_fault_is_named(
    content: str | None, named: list[str], tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "bad.toml").write_text(content)
    done = run("spec", "diff", "shop-r1", "bad.toml", cwd=tmp_path)
    assert done.returncode == WRONG_USAGE
    assert [part for part in ("bad.toml", *named) if part not in done.stderr.lower()] == []


def test_a_spec_with_brackets_in_its_names_is_shown_as_it_is_called(tmp_path: Path) -> None:
    spec = tmp_path / "team.toml"
    spec.write_text('name = "team[red]"\ndescription = "[blue]"\n[actions."[bold]"]\n')
    shown = run("spec", "show", spec).stdout
    compared = run("spec", "diff", "shop-r1", spec).stdout
    assert [name for name in ("team[red]", "[blue]", 'actions."[bold]".type') if name not in shown] == []
    assert [name for name in ("team[red]", 'actions."[bold]".type') if name not in compared] == []


def test_names_with_dots_are_told_apart_in_a_comparison(tmp_path: Path) -> None:
    for name, value in (("one", 1.0), ("two", 999.0)):
        one = f'[actions.a.fields]\n"b.fields.c" = {{ value = {value} }}\n'
        other = '["actions"."a.fields.b".fields]\nc = { value = 5.0 }\n'
        (tmp_path / f"{name}.toml").write_text(f'name = "{name}"\n{one}{other}')
    found = differences(tmp_path / "diff.json", tmp_path / "one.toml", tmp_path / "two.toml")
    assert found == {'actions.a.fields."b.fields.c".value': (1.0, 999.0)}


@pytest.mark.parametrize("content", ["n = " + "9" * 5_000, "a = " + "[" * 5_000])
def test_toml_that_python_cannot_hold_is_wrong_usage(content: str, tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text(content)
    done = run("spec", "show", tmp_path / "odd.toml")
    assert (done.returncode, "Traceback" in done.stderr) == (WRONG_USAGE, False)
