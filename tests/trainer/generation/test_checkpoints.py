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
