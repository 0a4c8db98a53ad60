"""A model that cannot do what a run asks of it is told before anything heavy starts."""

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from reward_server.certainty.model_files import DEMO_MODEL
from reward_server.reward.spec import load_preset
from trainer.openrlhf.checks.model_fit import check_context, check_ends
from trainer.openrlhf.problems import InputError
from trainer.openrlhf.recipe.flags import Read

SPEC = load_preset("shop-r1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the demo model: a context of 8,192, turns that end with <|im_end|>."""
    return Path(shutil.copytree(DEMO_MODEL, tmp_path / "model"))


def change(file: Path, **fields: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_a_context_that_holds_the_longest_row_will_do(model: Path) -> None:
    check_context(str(model), Read({"data.max_len": 8192}))


def test_a_context_that_is_too_short_is_told_with_its_length(model: Path) -> None:
    with pytest.raises(InputError, match=r"^openrlhf\.data\.max_len: 8,193 tokens, and the context of .* has 8,192"):
        check_context(str(model), Read({"data.max_len": 8193}))


def test_scaled_positions_are_left_to_vllm(model: Path) -> None:
    change(model / "config.json", rope_parameters={"rope_type": "yarn", "factor": 4.0, "rope_theta": 1000.0})
    check_context(str(model), Read({"data.max_len": 32_768}))


def test_a_config_that_cannot_be_read_is_told(model: Path) -> None:
    (model / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"^model: the config of "):
        check_context(str(model), Read({}))


def test_ends_that_the_spec_takes_off_will_do(model: Path) -> None:
    check_ends(str(model), AutoTokenizer.from_pretrained(model), SPEC)
    (model / "generation_config.json").unlink()
    check_ends(str(model), AutoTokenizer.from_pretrained(model), SPEC)


@pytest.mark.parametrize("ends", [7, [2, 7]])
def test_an_end_that_the_spec_leaves_on_is_told(ends: object, model: Path) -> None:
    change(model / "generation_config.json", eos_token_id=ends)
    tokenizer = AutoTokenizer.from_pretrained(model)
    with pytest.raises(InputError, match=r"ends its turns with .*, which spec shop-r1 leaves on completions") as caught:
        check_ends(str(model), tokenizer, SPEC)
    assert repr(tokenizer.decode([7])) in str(caught.value)
