"""The names under which vLLM finds models for self-certainty: `Qwen2ForCausalLM` becomes `Qwen2ForSelfCertainty`."""

CAUSAL = ("ForCausalLM", "LMHeadModel")
SUFFIX = "ForSelfCertainty"


def scoring_name(architecture: str) -> str:
    """The name of an architecture for self-certainty. Raises ValueError for one that is no causal language model."""
    for suffix in CAUSAL:
        if architecture.endswith(suffix):
            return architecture.removesuffix(suffix) + SUFFIX
    raise ValueError(f"{architecture} is no decoder-only language model: self-certainty needs a …{CAUSAL[0]}")


def causal_name(scoring: str, known: frozenset[str]) -> str:
    """The architecture, among the `known` ones, that a name for self-certainty stands for. Raises ValueError."""
    for suffix in CAUSAL:
        if scoring.endswith(SUFFIX) and scoring.removesuffix(SUFFIX) + suffix in known:
            return scoring.removesuffix(SUFFIX) + suffix
    raise ValueError(f"vLLM knows no causal language model for {scoring}")


def register_all() -> None:
    """Register every causal language model of this vLLM by name; nothing of them is imported before it is served."""
    from vllm import ModelRegistry

    for architecture in list(ModelRegistry.get_supported_archs()):
        if architecture.endswith(CAUSAL):
            name = scoring_name(architecture)
            if name not in ModelRegistry.models:
                ModelRegistry.register_model(name, f"{__package__}.models:{name}")
