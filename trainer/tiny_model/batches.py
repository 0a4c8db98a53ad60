"""Examples as token ids, and batches of them in an order that a seed decides."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple, TypeVar

import torch
from tokenizers import Tokenizer
from torch import Tensor

from trainer.sessions.storefront.draws import random_for, sample
from trainer.tiny_model.examples import Example

T = TypeVar("T")

_POOL = 16
"""Batches that are cut from one pool of examples sorted by length: hardly any padding, and still in random order."""


class Encoded(NamedTuple):
    """A prompt and its answer, one after the other."""

    ids: list[int]
    prompt_length: int


class Batch(NamedTuple):
    """Token ids to read and those to predict."""

    ids: Tensor
    """Padded on the right. Shape (rows, tokens)."""
    is_answer: Tensor
    """Which tokens are the answer's and have one before them to be predicted from. Shape (rows, tokens)."""
    is_prompt: Tensor
    """The same for the prompt's."""


def encode(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[Encoded]:
    """Token ids of examples; the prompt's and the answer's are encoded apart, as a server has them."""
    prompts = tokenizer.encode_batch_fast([example.prompt for example in examples])
    answers = tokenizer.encode_batch_fast([example.answer for example in examples])
    return [Encoded(prompt.ids + answer.ids, len(prompt.ids)) for prompt, answer in zip(prompts, answers, strict=True)]


def batches(examples: Sequence[Encoded], rows: int, *seed: object) -> Iterator[Batch]:
    """Batches of so many rows without end; every example comes once before any comes again.

    Raises ValueError where there are no examples.
    """
    if not examples:
        raise ValueError("there is nothing to train on")
    random = random_for("batches", *seed)
    while True:
        order = _shuffled(random, examples)
        for start in range(0, len(order), rows * _POOL):
            pool = sorted(order[start : start + rows * _POOL], key=lambda example: len(example.ids))
            cut = [pool[first : first + rows] for first in range(0, len(pool), rows)]
            yield from map(padded, _shuffled(random, cut))


def padded(examples: Sequence[Encoded]) -> Batch:
    """One batch."""
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(example.ids) for example in examples], batch_first=True)
    lengths = torch.tensor([len(example.ids) for example in examples])[:, None]
    prompts = torch.tensor([example.prompt_length for example in examples])[:, None]
    places = torch.arange(ids.shape[1])[None]
    return Batch(ids, (places >= prompts.clamp(min=1)) & (places < lengths), (places > 0) & (places < prompts))


def _shuffled(random: Random, items: Sequence[T]) -> list[T]:
    return sample(random, items, len(items))
