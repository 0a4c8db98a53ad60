"""`python -m trainer.tiny_model`, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import Result
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from trainer.tiny_model.__main__ import app
from trainer.tiny_model.recipe import Recipe

SMALL = Recipe(
    sessions=10,
    drill_steps=2,
    base_steps=3,
    answer_steps=20,
    rows=2,
    vocabulary=400,
    width=32,
    layers=1,
    heads=1,
    feed_forward=32,
    measured_steps=1,
)
OPTIONS = SMALL.command.replace("\\\n", "").partition("FOLDER")[2].split()
"""The command that the card gives is the one that is run."""


def train(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "80"})


def said(done: Result) -> str:
    """What it said on standard error, without the frame around it."""
    return " ".join(done.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    done = train(folder / "model", *OPTIONS, "--json", folder / "figures.json")
    assert done.exit_code == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    return folder


def test_what_it_writes_can_be_loaded_by_its_folder_alone(trained: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(trained / "model")
    tokenizer = AutoTokenizer.from_pretrained(trained / "model")
    assert model.dtype == torch.bfloat16
    assert model.config.vocab_size == len(tokenizer) == 400
    assert model.config.eos_token_id == tokenizer.eos_token_id
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "Hm?"}], return_tensors="pt", return_dict=False)
    assert model(ids).logits.isfinite().all()


def test_both_majors_of_transformers_find_the_rope_base(trained: Path) -> None:
    config = json.loads((trained / "model" / "config.json").read_text())
    # 5 reads the first, 4 the second, and 10,000 where that is missing.
    assert config["rope_parameters"]["rope_theta"] == config["rope_theta"] == 1_000
    assert AutoConfig.from_pretrained(trained / "model").rope_parameters["rope_theta"] == 1_000


def test_the_card_has_the_command_and_what_was_measured(trained: Path) -> None:
    card = (trained / "model" / "README.md").read_text(encoding="utf-8")
    assert SMALL.command in card
    figures = json.loads((trained / "figures.json").read_text())
    assert f"| the shopper's own | {figures['certainty']['true']:.2f} |" in card
    assert f"| {figures['best']['type']:.1%} |" in card
    assert max(map(len, card.splitlines())) <= 120


def test_the_same_options_give_the_same_model_bit_by_bit(trained: Path, tmp_path: Path) -> None:
    assert train(tmp_path / "again", *OPTIONS).exit_code == 0
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (trained / "model" / name).read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(trained: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in (trained / "model").iterdir()}
    done = train(trained / "model", *OPTIONS)
    assert (done.exit_code, "is not empty" in said(done)) == (2, True)
    assert before == {file.name: file.stat().st_mtime_ns for file in (trained / "model").iterdir()}


@pytest.mark.parametrize(
    ("options", "complaint"), [(("--heads", 5), "cannot be shared by 5 heads"), (("--vocabulary", 100), "at least 259")]
)
def test_a_recipe_that_makes_no_model_is_told_and_nothing_is_written(
    options: tuple[object, ...], complaint: str, tmp_path: Path
) -> None:
    done = train(tmp_path / "model", *OPTIONS, *options)
    assert (done.exit_code, complaint in said(done)) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_help_has_an_example_and_starts_without_the_libraries_it_will_need() -> None:
    program = (
        "import atexit, runpy, sys; sys.argv = ['tiny', '--help']; "
        "atexit.register(lambda: print('torch' in sys.modules)); "
        "runpy.run_module('trainer.tiny_model', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "Example: python -m trainer.tiny_model" in " ".join(done.stdout.split())
    assert done.stdout.endswith("False\n")
