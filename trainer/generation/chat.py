"""A model's tokenizer, chat template, context and end of turn: all there is to know before it is loaded."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoConfig, AutoTokenizer, GenerationConfig
from transformers.utils import logging

from trainer.generation.errors import GenerationError
from trainer.model_folder import has_tokenizer
from trainer.model_names import means_a_folder


class Chat:
    """How a model is spoken to. Raises GenerationError for one without files, tokenizer or chat template.

    Every engine is given the token ids from here and its answers are decoded here, so that engines cannot differ in it.
    """

    def __init__(self, model: str) -> None:
        self.model = _location(model)
        logging.set_verbosity_error()
        try:
            self._config = AutoConfig.from_pretrained(self.model)
            self.tokenizer: Any = AutoTokenizer.from_pretrained(self.model)
        except (OSError, ValueError, KeyError) as error:
            raise GenerationError(f"{model}: {_one_line(error)}") from None
        if not self.tokenizer.chat_template:
            raise GenerationError(f"{model}: its tokenizer has no chat template, so it cannot be asked a chat")
        text: Any = self._config.get_text_config()
        self.longest: int | None = getattr(text, "max_position_embeddings", None)
        """The model's context, in tokens; None where it has no limit."""
        self.ends = self._ends()
        """Tokens that end a turn."""

    def token_ids(self, messages: Sequence[dict[str, Any]]) -> list[int]:
        """The chat as the model reads it, up to where its answer begins. Raises GenerationError."""
        try:
            ids = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        # Templates are programs, and refuse chats with whatever error they like.
        except Exception as error:
            raise GenerationError(f"its chat template refuses the prompt: {_one_line(error)}") from None
        return list(ids)

    def text(self, completion: Sequence[int]) -> str:
        """The text of an answer up to the end of its turn; other special tokens stay, as rewards are given for them."""
        end = next((at for at, token in enumerate(completion) if token in self.ends), len(completion))
        decoded = self.tokenizer.decode(
            list(completion[:end]), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(decoded)

    def fingerprint(self) -> str:
        """The same for two models that read every chat alike."""
        template = repr((self.tokenizer.chat_template, self.tokenizer.special_tokens_map))
        vocabulary = self.model
        if self.tokenizer.is_fast:
            # A trainer leaves in the file how it cut and filled texts; using the tokenizer takes that out again.
            backend = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
            backend.no_truncation()
            backend.no_padding()
            vocabulary = backend.to_str()
        return hashlib.sha256(f"{template}\n{vocabulary}".encode()).hexdigest()

    def _ends(self) -> frozenset[int]:
        try:
            found = GenerationConfig.from_pretrained(self.model).eos_token_id
        except OSError:
            found = getattr(self._config, "eos_token_id", None)
        told = found if isinstance(found, list) else [found]
        return frozenset(token for token in (*told, self.tokenizer.eos_token_id) if token is not None)


def _location(model: str) -> str:
    """A folder with a model, or a Hugging Face id. Raises GenerationError."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise GenerationError(f"{model}: the folder has no config.json, so there is no model in it")
        if not has_tokenizer(folder):
            raise GenerationError(f"{model}: the folder has no tokenizer; save it there with save_pretrained")
        return str(folder)
    if means_a_folder(model):
        raise GenerationError(f"{model}: there is no such folder")
    return model


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
