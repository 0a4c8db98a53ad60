"""Exact self-certainty inside vLLM: a pooler that keeps four numbers a token, and `POST /self_certainty` for them.

Runs in vLLM's processes, installed beside it (`pip install shop-r1`), and imports no other room of this package. vLLM
loads `register` in every process of every server of its environment, the trainer's own rollout engines among them, so
it changes nothing unless a model is served for self-certainty: `python -m reward_server.vllm_plugin MODEL`.

What it is not: a second engine. It generates nothing, and takes no part in the rollouts' sampling.
"""

import os

CACHE_CAP = "SHOP_R1_CACHE_CAP"
"""Environment variable: 1 installs the cap on prefix-cache hits, see cache_cap."""


def register() -> None:
    """Entry point `vllm.general_plugins`: make every causal language model known as one for self-certainty."""
    from reward_server.vllm_plugin.architectures import register_all

    register_all()
    if os.environ.get(CACHE_CAP) == "1":
        from reward_server.vllm_plugin.cache_cap import install

        install()
