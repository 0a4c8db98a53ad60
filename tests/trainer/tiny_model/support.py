"""A few sessions of the storefront, and a model too small to be of use."""

from functools import cache

from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from trainer.sessions.schema import Session
from trainer.sessions.storefront import Storefront
from trainer.tiny_model.architecture import Shape, new_model
from trainer.tiny_model.batches import Encoded, encode
from trainer.tiny_model.examples import Example, examples
from trainer.tiny_model.tokenizer import train_tokenizer

VOCABULARY = 400
SHAPE = Shape(width=32, layers=2, heads=1, feed_forward=32)


@cache
def some_sessions() -> list[Session]:
    return list(Storefront(3).sessions(30))


@cache
def some_examples() -> list[Example]:
    return list(examples(some_sessions()))


@cache
def some_tokenizer() -> Tokenizer:
    return train_tokenizer([example.prompt + example.answer for example in some_examples()], VOCABULARY)


@cache
def some_encoded() -> list[Encoded]:
    return encode(some_tokenizer(), some_examples())


def a_model(seed: int = 0) -> Qwen2ForCausalLM:
    return new_model(SHAPE, VOCABULARY, seed)
