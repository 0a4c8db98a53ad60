"""Figures by hand, and greedy answers beside those of transformers, one prompt at a time."""

import torch
from tokenizers import Tokenizer

from tests.trainer.tiny_model.support import a_model, some_encoded, some_examples, some_tokenizer
from trainer.tiny_model.examples import Example
from trainer.tiny_model.measure import accuracy, greedy_answers
from trainer.tiny_model.train import Training, train_answers

BUY = {"type": "click", "name": "add_to_cart.buy_now"}
LEAVE = {"type": "terminate"}


def test_accuracy_counts_what_can_be_read_and_what_is_right() -> None:
    asked = [Example("", "Because.", action) for action in (BUY, BUY, BUY, LEAVE)]
    answers = [
        '{"rationale": "It is cheap.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}',
        '{"rationale": "Not that.", "action": {"type": "click", "name": "back"}}<|im_end|>',
        '{"rationale": "Cut short',
        '{"rationale": "", "action": {"type": "click", "name": "back"}}',
    ]
    assert accuracy(answers, asked) == (0.75, 0.5, 0.25)


def test_greedy_answers_are_those_of_each_prompt_alone() -> None:
    model, tokenizer = a_model(), some_tokenizer()
    train_answers(model, some_encoded(), 20, Training(rows=4))
    prompts = [example.prompt for example in some_examples()[:4]]
    assert len({len(tokenizer.encode(prompt).ids) for prompt in prompts}) > 2
    assert greedy_answers(model, tokenizer, prompts) == [_alone(model, tokenizer, prompt) for prompt in prompts]


@torch.inference_mode()
def _alone(model: torch.nn.Module, tokenizer: Tokenizer, prompt: str) -> str:
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    for _ in range(96):
        following = model(ids).logits[0, -1].argmax()
        ids = torch.cat([ids, following[None, None]], 1)
        if following == 2:
            break
    return tokenizer.decode(ids[0, len(tokenizer.encode(prompt).ids) :].tolist())
