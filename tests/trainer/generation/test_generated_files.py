import json
from pathlib import Path

import pytest

from tests.trainer.generation.support import MODEL
from trainer.evaluation.result import Generation
from trainer.generation.generated_files import digest_of_model, file_of, is_complete, record

MADE = Generation(
    model="runs/sft/model",
    engine="vllm",
    data="sha256:1",
    limit=None,
    temperature=0.7,
    max_new_tokens=512,
    samples=1,
    seed=0,
)


def test_a_file_is_named_after_its_model_and_temperature(tmp_path: Path) -> None:
    assert file_of(tmp_path, MADE, None).name.startswith("runs-sft-model-t0.7-")
    odd = MADE.model_copy(update={"model": "../Größe/" + 300 * "x", "temperature": 0.0})
    name = file_of(tmp_path, odd, None).name
    assert name.isascii()
    assert len(name) < 120


@pytest.mark.parametrize(
    "change",
    [
        {"model": "runs/sft-model"},
        {"engine": "transformers"},
        {"data": "sha256:2"},
        {"limit": 5},
        {"temperature": 0.70001},
        {"max_new_tokens": 511},
        {"samples": 2},
        {"seed": 1},
    ],
)
def test_whatever_else_is_asked_goes_to_another_file(change: dict[str, object], tmp_path: Path) -> None:
    assert file_of(tmp_path, MADE.model_copy(update=change), None) != file_of(tmp_path, MADE, None)
    assert file_of(tmp_path, MADE, "saved anew") != file_of(tmp_path, MADE, None)


def test_a_file_is_complete_once_it_is_recorded_and_as_long_as_it_is_as_it_was(tmp_path: Path) -> None:
    file = file_of(tmp_path, MADE, "a")
    assert not is_complete(file, MADE, "a")
    file.write_bytes(b"{}\n")
    assert not is_complete(file, MADE, "a")
    record(file, MADE, "a", 1)
    assert is_complete(file, MADE, "a")
    assert not is_complete(file, MADE, "b")
    assert json.loads(file.with_suffix(".json").read_bytes())["generation"]["temperature"] == 0.7
    file.write_bytes(b"{}")
    assert not is_complete(file, MADE, "a")


def test_a_record_that_cannot_be_read_counts_for_nothing(tmp_path: Path) -> None:
    file = file_of(tmp_path, MADE, None)
    file.write_bytes(b"{}\n")
    file.with_suffix(".json").write_bytes(b"{")
    assert not is_complete(file, MADE, None)


def test_a_model_that_is_saved_anew_is_another(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1")
    before = digest_of_model(str(tmp_path))
    assert digest_of_model(str(tmp_path)) == before
    (tmp_path / "model.safetensors").write_bytes(b"22")
    assert digest_of_model(str(tmp_path)) not in (before, None)
    assert digest_of_model(MODEL) is not None
    assert digest_of_model("Qwen/Qwen2.5-3B-Instruct") is None
