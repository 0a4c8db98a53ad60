from pathlib import Path

import pytest

from trainer.generation.checkpoints import checkpoints
from trainer.generation.errors import GenerationError


def test_checkpoints_come_in_the_order_of_their_steps_and_the_final_model_last(tmp_path: Path) -> None:
    names = ("global_step100_hf", "global_step20_hf", "best_global_step20_hf", "global_step9_hf")
    for name in (*names, "global_step20", "_actor", "global_step_hf"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    (tmp_path / "checkpoints" / "global_step7_hf").touch()
    (tmp_path / "model").mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == [
        "global_step9_hf",
        "global_step20_hf",
        "best_global_step20_hf",
        "global_step100_hf",
        "model",
    ]


def test_a_run_that_has_saved_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=r"which training saves with --ckpt\.save_hf"):
        checkpoints(tmp_path)


def saved(run: Path, **weights: dict[str, bytes]) -> list[str]:
    """The names that are left of the models with these files of weights; `step4` stands for a checkpoint."""
    for name, files in weights.items():
        folder = run / ("model" if name == "model" else f"checkpoints/{name.replace('step', 'global_step')}_hf")
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
    return [path.name for path in checkpoints(run)]


def test_the_last_checkpoint_is_left_out_where_its_weights_are_the_final_models(tmp_path: Path) -> None:
    early, last = {"model.safetensors": b"early"}, {"model.safetensors": b"final", "config.json": b"{}"}
    assert saved(tmp_path, step2=early, step10=last, best_step10=last, model=last) == ["global_step2_hf", "model"]


@pytest.mark.parametrize(
    "weights",
    [
        {"model.safetensors": b"other"},
        {"model.safetensors": b"longer"},
        {"model.safetensors": b"final", "model-2.safetensors": b""},
        {"pytorch_model.bin": b"final"},
        {},
    ],
)
def test_a_checkpoint_with_other_weights_stays(weights: dict[str, bytes], tmp_path: Path) -> None:
    assert saved(tmp_path, step4=weights, model={"model.safetensors": b"final"}) == ["global_step4_hf", "model"]


def test_an_earlier_checkpoint_stays_and_so_does_the_last_without_a_final_model(tmp_path: Path) -> None:
    same = {"model.safetensors": b"same"}
    assert saved(tmp_path / "a", step2=same, step4=same, model=same) == ["global_step2_hf", "model"]
    assert saved(tmp_path / "b", step4=same) == ["global_step4_hf"]
