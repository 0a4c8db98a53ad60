"""Both stages of training lower what they mean to lower, and are the same for the same seed."""

from statistics import fmean

import pytest
import torch
from transformers import Qwen2ForCausalLM

from tests.trainer.tiny_model.support import a_model, some_encoded
from trainer.tiny_model.batches import Encoded
from trainer.tiny_model.train import Training, drill, train_answers, train_base

TRAINING = Training(rows=4, learning_rate=5e-3)


def same(first: Qwen2ForCausalLM, second: Qwen2ForCausalLM) -> bool:
    weights = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(mine, other) for mine, other in weights)


def test_a_few_steps_of_answers_lower_their_loss() -> None:
    losses: list[float] = []
    train_answers(a_model(), some_encoded(), 20, TRAINING, losses.append)
    assert len(losses) == 20
    assert fmean(losses[-3:]) < fmean(losses[:3]) - 0.5


def test_a_few_steps_of_the_base_lower_its_loss() -> None:
    losses: list[float] = []
    train_base(a_model(), some_encoded(), 5, 20, TRAINING, losses.append)
    assert len(losses) == 25
    # From the sixth step on, it is that of the prompts and that of the drill.
    assert fmean(losses[-3:]) < fmean(losses[5:8]) - 0.5


def test_the_same_seed_gives_the_same_weights_bit_by_bit() -> None:
    models = [a_model() for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        train_base(model, some_encoded(), 2, 3, Training(rows=4, seed=seed))
        train_answers(model, some_encoded(), 5, Training(rows=4, seed=seed))
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_a_base_knows_no_answer() -> None:
    models = [a_model(), a_model()]
    for model, answer in zip(models, ([9] * 5, [7] * 5), strict=True):
        prompts = [example.ids[: example.prompt_length] for example in some_encoded()]
        train_base(model, [Encoded([*prompt, *answer], len(prompt)) for prompt in prompts], 1, 4, TRAINING)
    assert same(*models)


def test_answers_without_prompts_are_learnt_by_themselves_and_teach_the_base_nothing() -> None:
    alone = [Encoded(example.ids[example.prompt_length :], 0) for example in some_encoded()]
    losses: list[float] = []
    train_answers(a_model(), alone, 3, TRAINING, losses.append)
    assert all(0 < loss < 20 for loss in losses)
    with pytest.raises(ValueError, match="nothing to train on"):
        train_base(a_model(), alone, 0, 1, TRAINING)


def test_no_steps_change_nothing() -> None:
    model = a_model()
    train_base(model, [], 0, 0, TRAINING)
    train_answers(model, [], 0, TRAINING)
    assert same(model, a_model())


def test_the_drill_repeats_every_row_at_a_period_of_its_own() -> None:
    ids, told = drill(50, 300, torch.Generator().manual_seed(0))
    assert ids.shape == told.shape
    assert ids.min() >= 3
    periods = set()
    for row, marks in zip(ids.tolist(), told.tolist(), strict=True):
        # The first of the marked tokens is the second of the first repetition.
        period = marks.index(True) - 1
        assert all(row[place] == row[place - period] for place in range(period, len(row)))
        assert all(marks[period + 1 :])
        periods.add(period)
    assert len(periods) > 10
    assert min(periods) >= 4
