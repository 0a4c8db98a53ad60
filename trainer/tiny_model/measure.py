"""What a tiny model has learnt: its greedy answers, and whether it is surer of true rationales than of others."""

import asyncio
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from reward_server.certainty.local import LocalSource
from reward_server.certainty.source import RationaleRequest
from reward_server.reward.action import Label, read_label
from reward_server.reward.completion import Reason, parse
from reward_server.specs import find_spec
from trainer.sessions.prompt import answer_text
from trainer.sessions.storefront import ceiling
from trainer.sessions.storefront.draws import pick, random_for, sample
from trainer.tiny_model.examples import Example, examples, held_out_sessions

_ROWS = 50
_LONGEST_ANSWER = 96
"""Tokens; the shoppers' own have at most 60."""


class Accuracy(NamedTuple):
    """Shares of answers."""

    valid: float
    """That can be read at all."""
    type: float
    """With the shopper's action type."""
    exact: float
    """With the shopper's very action."""


class Certainty(NamedTuple):
    """Mean self-certainty KL(p‖U) of rationales, in nats; one mean per rationale, then over rationales."""

    true: float
    """The shopper's own."""
    true_alone: float
    """The same without any prompt."""
    of_another_step: float
    shuffled: float
    """The shopper's own words in random order."""
    random_words: float
    """As many words, each drawn from all rationales."""


class Figures(NamedTuple):
    """What was measured on held-out steps."""

    steps: int
    accuracy: Accuracy
    best: Accuracy
    """The best that anyone can reach on average, who sees all pages so far."""
    certainty: Certainty
    largest_certainty: float
    """ln V, of a model that is sure of every token."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            **self._asdict(),
            "accuracy": self.accuracy._asdict(),
            "best": self.best._asdict(),
            "certainty": self.certainty._asdict(),
        }


def measure(folder: Path, shop: int, steps: int) -> Figures:
    """Figures of the model in a folder on at least so many steps of a shop."""
    sessions = held_out_sessions(shop, steps)
    asked = list(examples(sessions))
    model = Qwen2ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    best = ceiling(sessions)
    return Figures(
        len(asked),
        accuracy(greedy_answers(model, tokenizer, [example.prompt for example in asked]), asked),
        Accuracy(1.0, best.type, best.exact),
        certainty(folder, asked),
        log(model.config.vocab_size),
    )


@torch.inference_mode()
def greedy_answers(model: Qwen2ForCausalLM, tokenizer: Tokenizer, prompts: Sequence[str]) -> list[str]:
    """The likeliest continuation of each prompt, token by token, up to the end of the turn."""
    encoded = [torch.tensor(each.ids) for each in tokenizer.encode_batch_fast(list(prompts))]
    order = sorted(range(len(prompts)), key=lambda number: len(encoded[number]))
    answers = [""] * len(prompts)
    for start in range(0, len(order), _ROWS):
        numbers = order[start : start + _ROWS]
        rows = [encoded[number] for number in numbers]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1, padding_side="left")
        mask = (ids >= 0).long()
        written = model.generate(
            input_ids=ids.clamp(min=0), attention_mask=mask, max_new_tokens=_LONGEST_ANSWER, do_sample=False
        )
        for number, answer in zip(numbers, written[:, ids.shape[1] :].tolist(), strict=True):
            answers[number] = tokenizer.decode(answer)
    return answers


def accuracy(answers: Sequence[str], asked: Sequence[Example]) -> Accuracy:
    """How answers fare, read as the reward reads them."""
    spec = find_spec("shop-r1")
    valid = right_type = exact = 0
    for answer, example in zip(answers, asked, strict=True):
        completion = parse(answer, spec)
        if isinstance(completion, Reason):
            continue
        label: Label = read_label(example.action, spec.action_space)
        valid += 1
        right_type += completion.action.type == label.action.type
        exact += completion.action.matches(label.action)
    return Accuracy(valid / len(asked), right_type / len(asked), exact / len(asked))


def certainty(folder: Path, asked: Sequence[Example]) -> Certainty:
    """How sure the model is of the rationales and of others in their place, as the server measures it."""
    random = random_for("measure", len(asked))
    words = [word for example in asked for word in example.rationale.split()]
    source = LocalSource(str(folder))

    def mean(rationale: Callable[[Example], str], prompt: bool = True) -> float:
        requests = [
            RationaleRequest(answer_text(example.action, rationale(example)), example.prompt if prompt else None)
            for example in asked
        ]
        return fmean(each.value for each in asyncio.run(source.measure(requests, "kl_to_uniform")))

    def shuffled(example: Example) -> str:
        own = example.rationale.split()
        return " ".join(sample(random, own, len(own)))

    return Certainty(
        true=mean(lambda example: example.rationale),
        true_alone=mean(lambda example: example.rationale, prompt=False),
        of_another_step=mean(lambda _: pick(random, asked).rationale),
        shuffled=mean(shuffled),
        random_words=mean(lambda example: " ".join(pick(random, words) for _ in example.rationale.split())),
    )
