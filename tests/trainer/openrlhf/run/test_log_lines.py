"""Steps are found in what OpenRLHF 0.11.2 prints; the lines are its own, shortened."""

from math import isinf, isnan

import pytest

from trainer.openrlhf.run.log_lines import StepMetrics, StepReader

RAY = "\x1b[36m(PPOTrainer pid=14057)\x1b[0m INFO 11-21 11:02:26 ppo_trainer.py:551] ✨ "
BAR = (
    "Train step of epoch {}: {:3}%|███  | {}/50 [00:16<00:00,  3.31it/s, gpt_loss={}, lr=0.0002, grad_norm=1.05]\x1b[A"
)


def read(*lines: str, sft_steps_done: int = 0) -> list[StepMetrics]:
    reader = StepReader(sft_steps_done)
    return [step for line in lines for step in reader.read(line)] + list(reader.rest())


def test_a_step_of_grpo_has_all_its_metrics() -> None:
    line = (
        RAY
        + "Global step 3: {'policy_loss': -0.02, 'ppo_kl': 7.65e-06, 'timing/generation': 2.3, "
        + "'rollout/num_samples': 128.0}"
    )
    assert read("something else", line) == [
        (3, {"policy_loss": -0.02, "ppo_kl": 7.65e-06, "timing/generation": 2.3, "rollout/num_samples": 128.0})
    ]


def test_a_metric_that_is_no_number_is_kept_as_what_it_is() -> None:
    (step,) = read(RAY + "Global step 1: {'policy_loss': nan, 'kl': inf, 'reward': 1.0}")
    assert isnan(step.metrics["policy_loss"])
    assert isinf(step.metrics["kl"])
    assert step.metrics["reward"] == 1.0


def test_the_async_trainer_prints_its_steps_in_another_way() -> None:
    line = (
        "(PPOTrainerAsync pid=7, ip=10.0.0.2) INFO 11-21 11:02:26 ppo_trainer_async.py:244] Global step 2: {'kl': 0.5}"
    )
    assert read(line) == [(2, {"kl": 0.5})]


@pytest.mark.parametrize(
    "line",
    [
        "Global step 1: {'reward': 1.0}",
        RAY.replace("✨ ", "Sample: ['") + "✨ Global step 1: {'reward': nan}', 0.5]",
        RAY + "Global step 1: {'reward': nan}', 0.5]",
        RAY + "Global step 1: {}",
        "a page that says " + BAR.format(0, 2, 1, 2.5),
    ],
)
def test_what_others_wrote_is_no_step(line: str) -> None:
    assert read(line) == []


def test_a_metric_that_openrlhf_forgot_to_take_out_of_its_tensor_is_read() -> None:
    (step,) = read(RAY + "Global step 1: {'reward': tensor(nan), 'kl': tensor(0.5)}")
    assert isnan(step.metrics["reward"])
    assert step.metrics["kl"] == 0.5


def test_sft_steps_are_counted_off_its_progress_bar() -> None:
    lines = [BAR.format(0, 2, 1, 2.5), BAR.format(0, 4, 2, 2.4), BAR.format(0, 4, 2, 2.3), BAR.format(1, 2, 1, 2.0)]
    assert [(step.step, step.metrics["gpt_loss"]) for step in read(*lines)] == [(1, 2.5), (2, 2.3), (3, 2.0)]


def test_a_bar_that_moved_on_without_new_metrics_is_no_step() -> None:
    without = "Train step of epoch 0:   4%|█    | 2/50 [00:01<00:20,  3.31it/s]"
    assert [step.step for step in read(BAR.format(0, 2, 1, 2.5), without)] == [1]


def test_a_resumed_sft_run_counts_on() -> None:
    assert [step.step for step in read(BAR.format(0, 2, 1, 2.5), sft_steps_done=40)] == [41]


def test_all_metrics_of_the_bar_are_read() -> None:
    (step,) = read(BAR.format(0, 2, 1, 2.5))
    assert step.metrics == {"gpt_loss": 2.5, "lr": 0.0002, "grad_norm": 1.05}
