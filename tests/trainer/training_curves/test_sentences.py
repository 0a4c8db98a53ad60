from typing import Any

import pytest

from trainer.training_curves.result import Change, RunChanges
from trainer.training_curves.sentences import outcome


def run(steps: int = 50, **metrics: Change) -> RunChanges:
    return RunChanges(name="grpo", file="f", steps=steps, first_step=1, last_step=steps, metrics=metrics)


def change(first: float, last: float, interval: tuple[float, float] | None, **others: Any) -> Change:
    known = {"points": 50, "averaged": 5, "reason": None if interval else "it takes 31 steps, and there are 20"}
    return Change(first=first, last=last, difference=last - first, interval=interval, **{**known, **others})


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (
            {"reward": change(0.5, 1.0, (0.25, 0.75)), "gpt_loss": change(1, 2, None)},
            "the optimised reward rose by 0.5 (95 % interval 0.25 to 0.75), from 0.5 to 1.000, over 50 steps",
        ),
        (
            {"gpt_loss": change(3.0, 1.0, (-2.5, -1.5))},
            "the loss fell by 2.000 (95 % interval 1.500 to 2.500), from 3.000 to 1.000, over 50 steps",
        ),
        (
            {"reward": change(0.75, 0.5, (-0.5, 0.125))},
            "the optimised reward fell by 0.25 (95 % interval -0.125 to 0.5), which may be chance, from 0.75 to 0.5, "
            "over 50 steps",
        ),
        (
            {"reward": change(0.5, 0.75, None)},
            "the optimised reward rose by 0.25 (no interval: it takes 31 steps, and there are 20), from 0.5 to 0.75, "
            "over 50 steps",
        ),
        (
            {"reward": change(0.5, 0.5, (0, 0))},
            "the optimised reward stayed the same, from 0.5 to 0.5, over 50 steps",
        ),
        ({"reward": change(0.5, 0.5, None, points=1)}, "the optimised reward is 0.5 on the only step that has it"),
        ({"kl": change(0.5, 0.5, None)}, "50 steps, and neither a reward nor a loss"),
    ],
)
def test_what_came_of_a_run_is_told_in_a_sentence(metrics: dict[str, Change], sentence: str) -> None:
    assert outcome(run(**metrics), 0.95) == sentence
