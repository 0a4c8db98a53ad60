"""Optional: keep prefix-cache hits off the tokens that are asked about.

A cached token is not computed again, so it has no row. Without the cap the endpoint notices that, and asks once more
without the cache, which costs a full prefill: for a completion that was scored before, or that starts like another one.
With it, a hit ends at the last block before the span.

vLLM has no setting for that, so this wraps one method of its KV-cache manager. It is installed only for a supported
version, when SHOP_R1_CACHE_CAP=1 says so, and only where the method looks as it did when this was written. If it is
ever wrong the endpoint's check of the rows still holds.
"""

import inspect
import math
from typing import Any

from reward_server.vllm_plugin.versions import check_version

_PARAMETERS = {
    "get_computed_blocks": ["self", "request"],
    "truncate_computed_blocks": ["self", "blocks", "num_computed_tokens"],
}

_installed = False


class CapError(RuntimeError):
    """A KV-cache manager that is not the one the cap was written for."""


def is_installed() -> bool:
    """Whether hits are capped in this process."""
    return _installed


def install() -> None:
    """Wrap the KV-cache manager, once per process. Raises UnsupportedVersion or CapError."""
    global _installed
    if _installed:
        return
    check_version()
    from vllm.v1.core.kv_cache_manager import KVCacheManager

    for name, parameters in _PARAMETERS.items():
        method = getattr(KVCacheManager, name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            raise CapError(
                f"vLLM's KVCacheManager.{name} has changed: unset SHOP_R1_CACHE_CAP to score without the cap"
            )
    wrapped = KVCacheManager.get_computed_blocks

    def get_computed_blocks(self: Any, request: Any) -> tuple[Any, int, int]:
        from reward_server.vllm_plugin.spans import first_row_needed

        blocks, hit, boundary = wrapped(self, request)
        needed = first_row_needed(request.pooling_params)
        if needed is None or hit <= needed:
            return blocks, hit, boundary
        block_size = math.lcm(*(manager.block_size for manager in self.coordinator.single_type_managers))
        capped = needed - needed % block_size
        return self.truncate_computed_blocks(blocks, capped), capped, min(boundary, capped)

    KVCacheManager.get_computed_blocks = get_computed_blocks
    _installed = True
