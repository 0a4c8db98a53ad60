"""Optional: keep prefix-cache hits off the tokens that are asked about.

A cached token is not computed again, so it has no row. Without the cap the endpoint notices that, and asks once more
without the cache, which costs a full prefill: for a completion that was scored before, or that starts like another one.
With it, a hit ends at the last block before the span: the prefix is looked up once more, at that length. (Cutting the
longer hit would not do: of a sliding window's layers it has the last blocks only.)

vLLM has no setting for that, so this wraps one method of its KV-cache manager. It is installed only for a supported
version, when SHOP_R1_CACHE_CAP=1 says so, and only where the method looks as it did when this was written. If it is
ever wrong the endpoint's check of the rows still holds.
"""

import inspect
from typing import Any

from reward_server.vllm_plugin.versions import check_version

_PARAMETERS = {
    "KVCacheManager.get_computed_blocks": ["self", "request"],
    "KVCacheManager.create_kv_cache_blocks": ["self", "blocks"],
    "KVCacheCoordinator.find_longest_cache_hit": ["self", "block_hashes", "max_cache_hit_length"],
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
    from vllm.v1.core.kv_cache_coordinator import KVCacheCoordinator
    from vllm.v1.core.kv_cache_manager import KVCacheManager

    classes = {each.__name__: each for each in (KVCacheCoordinator, KVCacheManager)}
    for name, parameters in _PARAMETERS.items():
        owner, _, method_name = name.partition(".")
        method = getattr(classes[owner], method_name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            raise CapError(f"vLLM's {name} has changed: unset SHOP_R1_CACHE_CAP to score without the cap")
    wrapped = KVCacheManager.get_computed_blocks

    def get_computed_blocks(self: Any, request: Any) -> tuple[Any, int, int]:
        from reward_server.vllm_plugin.spans import first_row_needed

        blocks, hit, boundary = wrapped(self, request)
        needed = first_row_needed(request.pooling_params)
        if needed is None or hit <= needed:
            return blocks, hit, boundary
        shorter, hit, uncached = self.coordinator.find_longest_cache_hit(request.block_hashes, needed)
        return self.create_kv_cache_blocks(shorter), hit, hit + uncached if uncached else 0

    KVCacheManager.get_computed_blocks = get_computed_blocks
    _installed = True
