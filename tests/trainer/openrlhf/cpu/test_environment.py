"""What a run on a CPU adds to its processes' environment."""

from trainer.openrlhf.cpu.environment import environment


def test_what_is_set_already_stays() -> None:
    assert "OMP_NUM_THREADS" not in environment({"OMP_NUM_THREADS": "7"})
    assert environment({})["OMP_NUM_THREADS"] == "1"
