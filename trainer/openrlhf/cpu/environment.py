"""What every process of a run on a CPU finds in its environment."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

ON_CPU = "SHOP_R1_ON_CPU"
"""Environment variable: 1 in every process whose libraries are to be changed."""

_SITE = Path(__file__).with_name("site")
_MOST_THREADS = 4
"""Of one process: a tiny model has no work for more."""


def environment(present: Mapping[str, str]) -> dict[str, str]:
    """The variables to add to those that are present; what is set already stays, but for what the profile rests on."""
    path = os.pathsep.join(filter(None, (str(_SITE), present.get("PYTHONPATH", ""))))
    usual = {
        "GLOO_SOCKET_IFNAME": "lo",
        # Rollout and training take turns. Ray's own choice would be one thread per process.
        "OMP_NUM_THREADS": str(min(os.cpu_count() or 1, _MOST_THREADS)),
        # Ray would start a worker per core before anybody asks for one.
        "RAY_prestart_worker_first_driver": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
    }
    return {
        **{name: value for name, value in usual.items() if name not in present},
        ON_CPU: "1",
        # Ray listens on every address of the machine: whoever has no token is to get no answer.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "DS_ACCELERATOR": "cpu",
        "PYTHONPATH": path,
    }
