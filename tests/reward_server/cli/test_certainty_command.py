"""`reward-server certainty`: a text's certainty token by token, in colours, in numbers and as JSON."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from tokenizers import Tokenizer
from typer.testing import CliRunner, Result

from reward_server.certainty.source import Kind
from reward_server.cli import app
from tests.reward_server.certainty.reference import by_the_book, of_the_rationale
from tests.reward_server.certainty.tiny_models import LONGEST, write_model

PROMPT = "The page shows a rice cooker. What do you do next? "
CHEAP = '{"rationale": "I want a cheap rice cooker.", "action": {"type": "terminate"}}'
NATS = 1e-4
WRONG_USAGE = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny", "qwen2", seed=2)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No settings and no terminal of our own, and the tiny model in place of the demo model."""
    for name in list(os.environ):
        if name.startswith("REWARD_") or name in ("FORCE_COLOR", "NO_COLOR", "COLORTERM", "TERM"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("REWARD_CERTAINTY_MODEL", str(folder))


def run(*arguments: object, stdin: bytes | None = None, **environment: str) -> Result:
    """`reward-server certainty …`; in this process, so that torch is imported once."""
    return CliRunner().invoke(app, ["certainty", *map(str, arguments)], input=stdin, env=environment)


def told(file: Path, *arguments: object, **kwargs: Any) -> dict[str, Any]:
    """What the command writes for programs."""
    done = run(*arguments, "--json", file, **kwargs)
    assert done.exit_code == 0, done.output
    return dict(json.loads(file.read_bytes()))


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def backgrounds(text: str) -> dict[str, tuple[int, int, int]]:
    """Text -> the colour it stands on."""
    found = re.findall(r"\x1b\[(?:\d+;)*48;2;(\d+);(\d+);(\d+)m([^\x1b]*)", text)
    return {piece: (int(red), int(green), int(blue)) for red, green, blue, piece in found}


def test_the_example_in_the_help_works_as_printed() -> None:
    shown = re.search(r"Example: reward-server certainty (.*\S)", run("--help", COLUMNS="200").output)
    assert shown is not None
    done = run(*shlex.split(shown[1]))
    assert done.exit_code == 0
    assert "the whole text's" in done.output


def test_without_a_text_an_example_is_shown() -> None:
    done = run()
    assert done.exit_code == 0
    assert "the rationale's" in done.output


@pytest.mark.parametrize("kind", ["kl_to_uniform", "kl_to_uniform_over_vocab", "kl_from_uniform"])
def test_of_a_completion_the_rationale_is_averaged(kind: Kind, folder: Path, tmp_path: Path) -> None:
    result = told(tmp_path / "out.json", CHEAP, "--prompt", PROMPT, "--kind", kind)
    value, tokens = of_the_rationale(folder, PROMPT, CHEAP, kind)
    assert result["mean"] == pytest.approx(value, abs=NATS / 512 if kind == "kl_to_uniform_over_vocab" else NATS)
    assert (result["tokens"], result["kind"], result["of"], result["context"]) == (tokens, kind, "rationale", True)
    assert result["model"]["name"] == str(folder)
    assert result["model"]["revision"].startswith("sha256:")
    assert "".join(token["text"] for token in result["by_token"]) == CHEAP
    counted = "".join(token["text"] for token in result["by_token"] if token["counted"])
    assert counted == 'I want a cheap rice cooker.",'


def test_of_any_other_text_all_tokens_are_averaged_but_the_first_which_nothing_precedes(
    folder: Path, tmp_path: Path
) -> None:
    text = "I want a cheap rice cooker"
    result = told(tmp_path / "out.json", text)
    values = by_the_book(folder, [], token_ids(folder, text), "kl_to_uniform")
    first, *others = [token["certainty"] for token in result["by_token"]]
    assert first is None
    assert others == pytest.approx(values, abs=NATS)
    assert [token["counted"] for token in result["by_token"]] == [False] + [True] * len(values)
    assert result["mean"] == pytest.approx(sum(values) / len(values), abs=NATS)
    assert (result["of"], result["context"]) == ("text", False)
    assert "the first token has no certainty" in run(text).output
    assert "out of its context" in run(CHEAP).output
    assert "Without --prompt" not in run(text, "--prompt", PROMPT).output


def token_ids(folder: Path, text: str) -> list[int]:
    return list(Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids)


def test_without_colours_each_token_has_its_certainty_under_it(tmp_path: Path) -> None:
    text = "I want a 値 🙂 cooker"
    lines = run(text, "--prompt", PROMPT).output.splitlines()
    result = told(tmp_path / "out.json", text, "--prompt", PROMPT)
    assert "\x1b" not in "".join(lines)
    values = [float(number) for number in lines[1].split()]
    assert values == pytest.approx([token["certainty"] for token in result["by_token"]], abs=0.005)
    tokens = re.findall(r"\S+", lines[0])
    assert [token for token in tokens if token != "…"] == ["I", "·want", "·a", "·", "値", "·", "🙂", "·cooker"]
    columns = [cell_len(lines[0][: found.start()]) for found in re.finditer(r"\S+", lines[0])]
    assert columns == [found.start() for found in re.finditer(r"\S+", lines[1])]


def test_tokens_that_are_not_averaged_have_a_dash() -> None:
    lines = run(CHEAP, "--prompt", PROMPT).output.splitlines()
    shown = dict(zip(lines[0].split(), lines[1].split(), strict=True))
    assert (shown['{"'], shown["rationale"]) == ("-", "-")
    assert float(shown["·cheap"]) > 0


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1", "COLORTERM": "truecolor"}], ids=["plain", "colour"])
def test_everything_fits_80_columns(environment: dict[str, str]) -> None:
    for kind in ("kl_to_uniform", "kl_to_uniform_over_vocab", "kl_from_uniform"):
        done = run("I want a cheap rice cooker. " * 20 + "値" * 60, "--prompt", PROMPT, "--kind", kind, **environment)
        assert max(map(cell_len, without_colours(done.stdout).splitlines())) <= 80


def test_in_colour_each_token_stands_on_the_colour_of_its_certainty_and_the_rest_is_dim(tmp_path: Path) -> None:
    colour = {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm-256color"}
    arguments = (CHEAP, "--prompt", PROMPT, "--kind", "kl_from_uniform")
    result = told(tmp_path / "out.json", *arguments)
    shown = run(*arguments, **colour).stdout
    assert without_colours(shown).startswith(CHEAP)
    assert '\x1b[2m{"\x1b[0m' in shown
    by_certainty = sorted((token["certainty"], token["text"]) for token in result["by_token"] if token["counted"])
    stands_on = backgrounds(shown)
    # The highest of this kind has the scale's last colour: there is no limit that it could be measured by.
    assert stands_on[by_certainty[-1][1]] == (253, 231, 37)
    brightness = [sum(stands_on[text]) for _, text in by_certainty]
    assert brightness == sorted(brightness)
    assert "the highest here (there is no limit)" in shown


def test_the_colours_of_a_limited_kind_end_at_its_limit() -> None:
    shown = without_colours(run(CHEAP, FORCE_COLOR="1").stdout)
    assert "0 = uniform … 6.24 = ln V, certain (V = 512)" in shown
    shown = without_colours(run(CHEAP, "--kind", "kl_to_uniform_over_vocab", FORCE_COLOR="1").stdout)
    assert "0 = uniform … 0.0122 = ln V / V, certain (V = 512)" in shown


def test_who_wants_no_colours_gets_numbers() -> None:
    assert run(CHEAP, FORCE_COLOR="1", NO_COLOR="1").stdout.startswith('{" ')
    assert "\x1b[48" not in run(CHEAP, FORCE_COLOR="1", NO_COLOR="1").stdout


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}], ids=["plain", "colour"])
def test_nothing_in_a_text_can_steer_the_terminal(environment: dict[str, str]) -> None:
    done = run("a\x1b[2J[red]b\nc\u202ed", **environment)
    assert done.exit_code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", without_colours(done.stdout))
    assert "a\\x1b[2J[red]b\\nc\\u202e" in re.sub(r"\s", "", without_colours(done.stdout))


def test_text_and_prompt_may_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text(PROMPT)
    arguments = ("-", "--prompt-file", tmp_path / "prompt.txt")
    from_files = told(tmp_path / "a", *arguments, stdin=CHEAP.encode())
    given = told(tmp_path / "b", CHEAP, "--prompt", PROMPT)
    assert (from_files["mean"], from_files["by_token"]) == (given["mean"], given["by_token"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["x", "--model", "missing/folder/here"], "REWARD_CERTAINTY_MODEL"),
        (["x", "--revision", "main"], "REWARD_CERTAINTY_REVISION"),
        (["x", "--prompt", "a", "--prompt-file", "b"], "not both"),
        (["x", "--prompt-file", "missing.txt"], "missing.txt"),
        (["x", "--kind", "vibes"], "kl_to_uniform"),
        (["", "--prompt", "a"], "no tokens"),
        (["cooker " * 9_000], str(LONGEST)),
        (["half a pair \udcff"], "UTF-8"),
        (["x", "--json", "/dev/null/out.json"], "/dev/null"),
    ],
)
def test_wrong_usage_is_answered_with_2_and_a_reason(arguments: list[str], named: str, tmp_path: Path) -> None:
    done = run(*arguments, COLUMNS="300")
    assert done.exit_code == WRONG_USAGE, done.output
    assert named in done.stderr
    assert "Traceback" not in done.output


def test_input_that_is_not_unicode_is_refused() -> None:
    done = run("-", stdin=b"I \xff")
    assert done.exit_code == WRONG_USAGE
    assert "not UTF-8" in done.stderr
