"""`python -m trainer.openrlhf.cpu MODULE ARGS…`: run one of OpenRLHF's commands without a GPU."""

import os
import runpy
import socket
import sys

from trainer.openrlhf.cpu.environment import ON_CPU, environment

RAY_MODULE = "openrlhf.cli.train_ppo_ray"
_PRETENDED_GPUS = 2
"""One for the trained model and its reference, one for vLLM."""
_PRETENDED_CPUS = 8
"""Ray only counts them; OpenRLHF asks for one per process."""
_OBJECT_STORE_BYTES = 256 * 2**20


def main() -> None:
    """Set this process up, then become the module."""
    if len(sys.argv) < 2:
        raise SystemExit(f"usage: python -m trainer.openrlhf.cpu MODULE ARGS…, such as {RAY_MODULE}")
    if os.environ.get(ON_CPU) != "1":
        # Python reads PYTHONPATH, and so the changes to its libraries, when it starts.
        os.environ.update(environment(os.environ))
        os.execv(sys.executable, [sys.executable, "-m", "trainer.openrlhf.cpu", *sys.argv[1:]])
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    if module == RAY_MODULE:
        _start_ray()
    else:
        _be_the_only_process()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _start_ray() -> None:
    """OpenRLHF takes a Ray that is there already; one that it started itself would have no GPUs to give."""
    import ray

    ray.init(
        address="local",
        num_cpus=_PRETENDED_CPUS,
        num_gpus=_PRETENDED_GPUS,
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
    )


def _be_the_only_process() -> None:
    """What `torchrun` would set."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ.update(alone)


if __name__ == "__main__":
    main()
