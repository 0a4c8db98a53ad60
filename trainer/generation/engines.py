"""Which engines there are. Each is imported once it is asked for: it brings seconds of imports of its own."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from trainer.generation.engine import Engine

if TYPE_CHECKING:
    from trainer.generation.chat import Chat

EngineName = Literal["vllm", "transformers"]


def resolved(name: Literal["auto", "vllm", "transformers"]) -> EngineName:
    """The engine that a name stands for: vLLM where it is installed. Raises ModuleNotFoundError for one that is not."""
    if name == "auto":
        return "vllm" if find_spec("vllm") else "transformers"
    if find_spec(name) is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return name


def load_engine(name: EngineName, chat: "Chat", longest: int) -> Engine:
    """Load the chat's model; `longest` is the most tokens that a prompt and its completion have together.

    Raises GenerationError for weights that cannot be loaded.
    """
    if name == "vllm":
        from trainer.generation.vllm_engine import VLLMEngine

        return VLLMEngine(chat, longest)
    from trainer.generation.transformers_engine import TransformersEngine

    return TransformersEngine(chat)
