"""Model classes for self-certainty, built when vLLM asks for them: the stock class, with a pooler for a sampler."""

from functools import cache
from typing import Any

from vllm import ModelRegistry
from vllm.config import VllmConfig
from vllm.model_executor.models.interfaces_base import VllmModelForPooling

from reward_server.vllm_plugin.architectures import SUFFIX, causal_name
from reward_server.vllm_plugin.pooler import SelfCertaintyPooler
from reward_server.vllm_plugin.versions import check_version


def __getattr__(name: str) -> Any:
    if not name.endswith(SUFFIX):
        raise AttributeError(name)
    return _scoring_class(name)


@cache
def _scoring_class(name: str) -> type:
    """The stock class that `name` stands for, with a pooler. Raises UnsupportedVersion."""
    check_version()
    stock = ModelRegistry.models[causal_name(name, frozenset(ModelRegistry.get_supported_archs()))].load_model_cls()

    class ForSelfCertainty(stock, VllmModelForPooling):  # type: ignore[misc, valid-type]
        is_pooling_model = True

        def __init__(self, *, vllm_config: VllmConfig, prefix: str = "", **options: Any) -> None:
            super().__init__(vllm_config=vllm_config, prefix=prefix, **options)
            self.pooler = SelfCertaintyPooler(self)

    ForSelfCertainty.__name__ = ForSelfCertainty.__qualname__ = name
    return ForSelfCertainty
