"""What runs beside the model in each worker: `--worker-extension-cls reward_server.vllm_plugin.worker.WeightReload`."""

from typing import Any


class WeightReload:
    """Mixed into vLLM's worker: reads other weights of the same architecture."""

    model_runner: Any

    def shop_r1_reload(self, folder: str) -> None:
        """Load the weights of a folder in place; every worker has to see it. Raises what the loader raises."""
        self.reload_weights(weights_path=folder)  # type: ignore[attr-defined]
        _repack_tied_head(self.model_runner.get_model())


def _repack_tied_head(model: Any) -> None:
    """Renew the CPU's packed copy of a head that is tied to the embeddings, which vLLM 0.32 leaves as it was."""
    from vllm.platforms import current_platform

    if not (current_platform.is_cpu() and getattr(model.config, "tie_word_embeddings", False)):
        return
    from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

    embeddings = model.model.embed_tokens
    head = getattr(model, "lm_head", embeddings)
    head.weight = embeddings.weight
    dispatch_cpu_unquantized_gemm(head, remove_weight=False)
