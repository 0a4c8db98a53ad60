"""Making a tiny model by a recipe, from the first session to the card."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from time import process_time

from trainer.sessions.schema import Session
from trainer.sessions.storefront import Storefront
from trainer.tiny_model.architecture import Shape, new_model
from trainer.tiny_model.batches import encode
from trainer.tiny_model.card import Making, model_card
from trainer.tiny_model.examples import Example, training_examples
from trainer.tiny_model.folder import save
from trainer.tiny_model.measure import Figures, measure
from trainer.tiny_model.recipe import Recipe
from trainer.tiny_model.tokenizer import train_tokenizer
from trainer.tiny_model.train import Training, train_answers, train_base

Report = Callable[[float | None], None]
"""Takes what a step has to say of itself: its loss, where it has one."""
Stage = Callable[[str, int], AbstractContextManager[Report]]
"""Takes what is begun and in how many steps; every step then reports to what it gives."""

_TOKENIZER_EXAMPLES = 5_000
"""More would find the same merges."""
_ANSWER_WEIGHT = 4
"""How often an answer counts for the merges against its prompt: it is shorter, and it is what the model writes."""


def make(recipe: Recipe, folder: Path, stage: Stage) -> Figures:
    """Train a model, write it to a folder with its tokenizer and card, and measure what was written.

    Raises ValueError for a recipe that makes no model.
    """
    began = process_time()
    shape = Shape(recipe.width, recipe.layers, recipe.heads, recipe.feed_forward)
    with stage("simulating sessions", recipe.sessions) as report:
        sessions = _reported(Storefront(recipe.shop).sessions(recipe.sessions), report)
        learnt = list(training_examples(sessions, recipe.seed))
    tokenizer = train_tokenizer(_tokenizer_texts(learnt), recipe.vocabulary)
    encoded = encode(tokenizer, learnt)
    model = new_model(shape, tokenizer.get_vocab_size(), recipe.seed)
    training = Training(recipe.rows, recipe.learning_rate, recipe.seed)
    with stage("training the base", recipe.drill_steps + recipe.base_steps) as report:
        train_base(model, encoded, recipe.drill_steps, recipe.base_steps, training, report)
    with stage("training the answers", recipe.answer_steps) as report:
        train_answers(model, encoded, recipe.answer_steps, training, report)
    minutes = (process_time() - began) / 60
    save(model, tokenizer, folder)
    with stage("measuring", 1) as report:
        figures = measure(folder, recipe.held_out_shop, recipe.measured_steps)
        report(None)
    libraries = ", ".join(f"{library} {version(library)}" for library in ("torch", "transformers", "tokenizers"))
    making = Making(recipe, model.num_parameters(), tokenizer.get_vocab_size(), len(learnt), minutes, libraries)
    (folder / "README.md").write_text(model_card(making, figures), encoding="utf-8")
    return figures


def _reported(sessions: Iterator[Session], report: Report) -> Iterator[Session]:
    for session in sessions:
        yield session
        report(None)


def _tokenizer_texts(learnt: list[Example]) -> Iterator[str]:
    for example in islice(learnt, _TOKENIZER_EXAMPLES):
        yield example.prompt
        yield from [example.answer] * _ANSWER_WEIGHT
