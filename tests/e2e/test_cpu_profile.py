"""What the CPU profile changes in the libraries, and that it leaves alone what it should."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.training_environment import run
from trainer.openrlhf.cpu.environment import environment as cpu_environment

pytestmark = pytest.mark.e2e


def python(program: str, **added: str) -> subprocess.CompletedProcess[str]:
    return run("python", "-c", program, **added)


def on_cpu(program: str, **added: str) -> subprocess.CompletedProcess[str]:
    """Run a program as every process of a run on a CPU is run."""
    return python(program, **cpu_environment(added))


def test_the_one_device_is_the_cpu() -> None:
    program = (
        "import torch; device = torch.cuda.current_device(); torch.cuda.synchronize(); torch.cuda.empty_cache();"
        "print(torch.zeros(2).to(device).device, f'cuda:{device}')"
    )
    assert on_cpu(program).stdout == "cpu cuda:0\n"


def test_nothing_is_changed_without_the_profile() -> None:
    program = "import torch; torch.cuda.current_device()"
    assert "AssertionError: Torch not compiled with CUDA enabled" in python(program).stderr


def test_flash_attention_is_there_while_openrlhf_imports_it_and_for_nobody_else() -> None:
    program = (
        "import importlib.util, openrlhf.models.ring_attn_utils as ring\n"
        "print(importlib.util.find_spec('flash_attn'))\n"
        "ring.unpad_input(None, None)"
    )
    result = on_cpu(program)
    assert result.stdout == "None\n"
    assert "RuntimeError: packing and ring attention need flash attention" in result.stderr


def test_weights_can_be_loaded_into_vllms_linear_layers_twice() -> None:
    program = (
        "import vllm.model_executor.layers.utils as utils; from types import SimpleNamespace\n"
        "layer = SimpleNamespace(weight=object()); utils.dispatch_cpu_unquantized_gemm(layer, remove_weight=True)\n"
        "print(hasattr(layer, 'weight'))"
    )
    assert on_cpu(program).stdout == "True\n"


def test_a_lock_that_a_killed_run_left_behind_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    program = (
        "import sys; from torch.utils.file_baton import FileBaton\n"
        "baton, other = FileBaton(sys.argv[1]), FileBaton(sys.argv[1])\n"
        "print(baton.try_acquire(), other.try_acquire()); baton.release(); other.wait(); print(other.try_acquire())"
    )
    done = run("python", "-c", program, tmp_path / "lock", **cpu_environment({}))
    assert done.stdout == "True False\nTrue\n", done.stderr


def test_a_stranger_gets_no_answer_from_the_runs_ray() -> None:
    stranger = (
        "import os, sys, ray\n"
        "for name in ('RAY_AUTH_MODE', 'RAY_AUTH_TOKEN'): del os.environ[name]\n"
        "ray.init(address=sys.argv[1], log_to_driver=False)"
    )
    program = (
        "import subprocess, sys, ray; from trainer.openrlhf.cpu.__main__ import _start_ray; _start_ray()\n"
        "print(ray.get(ray.remote(lambda: 'one of the run').remote()), flush=True)\n"
        f"done = subprocess.run([sys.executable, '-c', {stranger!r}, ray.get_runtime_context().gcs_address])\n"
        "print('a stranger is in' if done.returncode == 0 else 'a stranger is not', flush=True)"
    )
    assert on_cpu(program).stdout.splitlines()[-2:] == ["one of the run", "a stranger is not"]


def test_a_sitecustomize_of_the_machine_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('the machine is here')")
    result = on_cpu("import torch; print(torch.cuda.current_device())", PYTHONPATH=str(tmp_path))
    assert result.stdout == "the machine is here\ncpu\n"
