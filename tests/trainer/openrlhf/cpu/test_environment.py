"""What a run on a CPU adds to its processes' environment."""

import os

import pytest

from trainer.openrlhf.cpu.environment import environment


def test_what_is_set_already_stays() -> None:
    assert "OMP_NUM_THREADS" not in environment({"OMP_NUM_THREADS": "7"})


@pytest.mark.parametrize(("cores", "threads"), [(None, "1"), (1, "1"), (2, "2"), (64, "4")])
def test_a_process_computes_on_all_cores_but_not_on_more_than_a_tiny_model_can_use(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, threads: str
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert environment({})["OMP_NUM_THREADS"] == threads
