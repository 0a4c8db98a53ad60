"""The two stages of training: a base that reads pages and copies from them, then the shoppers' answers.

Both go by numbers of steps, so that a seed gives the same model again on the same kind of machine.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import Qwen2ForCausalLM

from trainer.tiny_model.batches import Encoded, batches
from trainer.tiny_model.tokenizer import SMALLEST

Report = Callable[[float], None]
"""Takes the loss of a step, in nats per token."""

_DRILL_LENGTH, _SHORTEST_PERIOD, _LONGEST_PERIOD = 128, 4, 48
_FIRST_ORDINARY = SMALLEST - 256
"""The first id that is no special token."""

_WARM_UP, _FULL_UNTIL, _LAST_RATE = 0.05, 0.6, 0.05


@dataclass(frozen=True, slots=True)
class Training:
    """What both stages have in common."""

    rows: int = 16
    """Examples in a batch."""
    learning_rate: float = 2e-3
    """The highest; it rises at the beginning and falls towards the end of each stage."""
    seed: int = 0


def train_base(
    model: Qwen2ForCausalLM,
    texts: Sequence[Encoded],
    drill_steps: int,
    text_steps: int,
    training: Training,
    report: Report = lambda _: None,
) -> None:
    """Teach copying by drill alone, then go on with the drill and the prompts of `texts`; no answer is seen.

    Names are copied off the page, and without the drill a model this small hardly learns to.
    """
    steps = drill_steps + text_steps
    _descend(model, islice(_base_losses(model, texts, drill_steps, training), steps), steps, training, report)


def train_answers(
    model: Qwen2ForCausalLM,
    examples: Sequence[Encoded],
    steps: int,
    training: Training,
    report: Report = lambda _: None,
) -> None:
    """Teach the answers to prompts; nothing is learnt of the prompts themselves."""
    _descend(model, islice(_answer_losses(model, examples, training), steps), steps, training, report)


def drill(rows: int, vocabulary: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random tokens, repeated over and over: ids, and which of them can be told from what came before.

    Every row has a period of its own. Shapes (rows, tokens).
    """
    periods = torch.randint(_SHORTEST_PERIOD, _LONGEST_PERIOD + 1, (rows, 1), generator=generator)
    ids = torch.randint(_FIRST_ORDINARY, vocabulary, (rows, _DRILL_LENGTH), generator=generator)
    places = torch.arange(_DRILL_LENGTH)[None]
    # The first token of the first repetition cannot be told: that anything repeats is not known yet.
    return ids.gather(1, places % periods), places > periods


def _base_losses(
    model: Qwen2ForCausalLM, texts: Sequence[Encoded], drill_steps: int, training: Training
) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(training.seed)
    vocabulary = model.config.vocab_size
    for _ in range(drill_steps):
        yield _loss(model, *drill(training.rows, vocabulary, generator))
    prompts = [text for text in texts if text.prompt_length > 1]
    for batch in batches(prompts, training.rows, training.seed, "texts"):
        yield _loss(model, batch.ids, batch.is_prompt) + _loss(model, *drill(training.rows, vocabulary, generator))


def _answer_losses(model: Qwen2ForCausalLM, examples: Sequence[Encoded], training: Training) -> Iterator[Tensor]:
    for batch in batches(examples, training.rows, training.seed, "answers"):
        yield _loss(model, batch.ids, batch.is_answer)


def _loss(model: Qwen2ForCausalLM, ids: Tensor, predicted: Tensor) -> Tensor:
    """Mean cross-entropy of the tokens marked, none of which is the first of its row."""
    states = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
    return cross_entropy(model.lm_head(states[predicted[:, 1:]]), ids[predicted])


def _descend(model: Qwen2ForCausalLM, losses: Iterator[Tensor], steps: int, training: Training, report: Report) -> None:
    """Follow the losses down; each is computed only after the step before."""
    optimizer = torch.optim.Adam(model.parameters(), lr=training.learning_rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate((step + 1) / max(steps, 1)))
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        report(loss.item())


def _rate(done: float) -> float:
    """The learning rate, as a share of the highest, after a share of a stage's steps."""
    falling = 1 - (1 - _LAST_RATE) * max(0.0, done - _FULL_UNTIL) / (1 - _FULL_UNTIL)
    return min(1.0, done / _WARM_UP, falling)
