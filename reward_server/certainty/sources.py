"""Certainty sources by name."""

from typing import Literal

from reward_server.certainty.options import SourceOptions
from reward_server.certainty.source import CertaintySource

SourceName = Literal["rollout", "vllm", "vllm-logprobs", "local", "none"]


_DEFAULTS = SourceOptions()


def create_source(name: SourceName, options: SourceOptions = _DEFAULTS) -> CertaintySource | None:
    """The source of that name; None for `none`. Imported only when asked for: some need heavy libraries.

    Raises SourceError when it can never work as it is set up: no such model, a library that is not installed.
    """
    if name == "none":
        return None
    from reward_server.certainty.rollout import EitherSource, RolloutSource

    if name == "rollout":
        return RolloutSource()
    source = _create(name, options)
    return EitherSource(source) if options.rollout_certainty else source


def _create(name: Literal["local", "vllm", "vllm-logprobs"], options: SourceOptions) -> CertaintySource:
    if name == "local":
        from reward_server.certainty.local import LocalSource

        return LocalSource(options.model, options.revision)
    if name == "vllm":
        from reward_server.certainty.vllm import VllmSource

        return VllmSource(options)
    from reward_server.certainty.vllm_logprobs import VllmLogprobsSource

    return VllmLogprobsSource(options)
