"""Whether a model can do what a GRPO run asks of it: hold the context, and end its turns as the reward takes them."""

from typing import Any

from reward_server.reward.spec import RewardSpec
from trainer.openrlhf.problems import InputError
from trainer.openrlhf.recipe.flags import Read


def check_context(model: str, flags: Read) -> None:
    """Raise InputError where `data.max_len` exceeds the model's context, which vLLM refuses once it is up.

    A model with scaled positions is left to vLLM, which knows the kinds of scaling.
    """
    from transformers import AutoConfig

    try:
        text: Any = AutoConfig.from_pretrained(model, trust_remote_code=True).get_text_config()
    except Exception as error:  # remote code may raise anything
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"model: the config of {model} cannot be read: {lines[0]}") from None
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    context = getattr(text, "max_position_embeddings", None)
    longest = flags.count("data.max_len", 2048)
    if context is not None and longest > context and rope.get("rope_type", "default") == "default":
        raise InputError(
            f"openrlhf.data.max_len: {longest:,} tokens, and the context of {model} has {context:,}: set it to "
            f"{context:,} at most"
        )


def check_ends(model: str, tokenizer: Any, spec: RewardSpec) -> None:
    """Raise InputError where the model ends its turns with what the spec leaves on: every completion would earn 0."""
    from transformers import GenerationConfig

    ends = {tokenizer.eos_token_id}
    try:
        found = GenerationConfig.from_pretrained(model).eos_token_id
    except OSError:
        found = None
    ends |= set(found if isinstance(found, list) else [found])
    texts = {tokenizer.decode([token]) for token in ends - {None}}
    if unknown := sorted(texts - set(spec.format.end_of_turn)):
        raise InputError(
            f"model: {model} ends its turns with {' or '.join(map(repr, unknown))}, which spec {spec.name} leaves on "
            "completions, so that each would earn 0 as extra_text: add it to the spec's format.end_of_turn"
        )
