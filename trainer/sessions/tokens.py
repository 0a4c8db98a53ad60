"""How long a chat is: in tokens of a model's own tokenizer, or in characters where none is at hand."""

from collections.abc import Callable
from pathlib import Path

Measure = Callable[[str], int]
"""Text -> its length."""


class TokenizerError(ValueError):
    """A tokenizer that cannot be read: names the file and the reason."""


def load_tokenizer(path: Path) -> Measure:
    """The measure of a `tokenizer.json`, or of the model folder it lies in. Raises TokenizerError."""
    from tokenizers import Tokenizer

    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:
        raise TokenizerError(f"{file}: {error}") from None
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def opening(role: str) -> str:
    """How ChatML opens a message. Lengths are measured with it: exact for Qwen, and near enough for other templates."""
    return f"<|im_start|>{role}\n"


CLOSING = "<|im_end|>\n"
"""How ChatML closes a message."""
