"""What a batch shows and what it asks for."""

from itertools import islice

import pytest

from tests.trainer.tiny_model.support import some_encoded
from trainer.tiny_model.batches import Encoded, batches, padded


def test_a_batch_says_which_tokens_are_the_answers_and_which_the_prompts() -> None:
    batch = padded([Encoded([5, 6, 7, 8, 9], 3), Encoded([4, 3], 1), Encoded([8, 7, 6], 0)])
    assert batch.ids.tolist() == [[5, 6, 7, 8, 9], [4, 3, 0, 0, 0], [8, 7, 6, 0, 0]]
    # A first token has none before it to be predicted from.
    assert batch.is_answer.int().tolist() == [[0, 0, 0, 1, 1], [0, 1, 0, 0, 0], [0, 1, 1, 0, 0]]
    assert batch.is_prompt.int().tolist() == [[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_every_example_comes_once_before_any_comes_again() -> None:
    # Told apart by their ids.
    numbered = [Encoded([3 + number] * (2 + number % 7), 1) for number in range(150)]
    epoch = -(-150 // 16)
    drawn = list(islice(batches(numbered, 16, 0), 2 * epoch))
    for half in (drawn[:epoch], drawn[epoch:]):
        assert sorted(row[0] for batch in half for row in batch.ids.tolist()) == list(range(3, 153))


def test_a_seed_decides_the_order() -> None:
    def first(seed: int) -> list[list[list[int]]]:
        return [batch.ids.tolist() for batch in islice(batches(some_encoded(), 4, seed), 5)]

    assert first(0) == first(0) != first(1)


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        next(batches([], 4, 0))
