"""Steps are found in what OpenRLHF 0.11.2 prints; the lines are its own, shortened."""

from math import isinf, isnan

import pytest

from trainer.openrlhf.run.log_lines import StepMetrics, StepReader

RAY = "\x1b[36m(PPOTrainer pid=14057)\x1b[0m INFO 11-21 11:02:26 ppo_trainer.py:551] ✨ "
SAMPLE = RAY.replace("551] ✨ ", "224] Sample: ['a page', 0.5]")
BAR = (
    "Train step of epoch {}: {:3}%|███  | {}/50 [00:16<00:00,  3.31it/s, gpt_loss={}, lr=0.0002, grad_norm=1.05]\x1b[A"
)


def read(*lines: str, sft_steps_done: int = 0, sft_micro_batches: int = 1) -> list[StepMetrics]:
    reader = StepReader(sft_steps_done, sft_micro_batches)
    return [step for line in lines for step in reader.read(line)] + list(reader.rest())


def test_a_step_of_grpo_has_all_its_metrics() -> None:
    line = (
        RAY
        + "Global step 3: {'policy_loss': -0.02, 'ppo_kl': 7.65e-06, 'timing/generation': 2.3, "
        + "'rollout/num_samples': 128.0}"
    )
    assert read("something else", SAMPLE, line) == [
        (3, {"policy_loss": -0.02, "ppo_kl": 7.65e-06, "timing/generation": 2.3, "rollout/num_samples": 128.0})
    ]


def test_a_metric_that_is_no_number_is_kept_as_what_it_is() -> None:
    (step,) = read(SAMPLE, RAY + "Global step 1: {'policy_loss': nan, 'kl': inf, 'reward': 1.0}")
    assert isnan(step.metrics["policy_loss"])
    assert isinf(step.metrics["kl"])
    assert step.metrics["reward"] == 1.0


def test_the_async_trainer_prints_its_steps_in_another_way() -> None:
    line = (
        "(PPOTrainerAsync pid=7, ip=10.0.0.2) INFO 11-21 11:02:26 ppo_trainer_async.py:244] Global step 2: {'kl': 0.5}"
    )
    assert read(SAMPLE.replace("PPOTrainer", "PPOTrainerAsync"), line) == [(2, {"kl": 0.5})]


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
    assert read(SAMPLE, line) == []


def test_a_sample_that_ray_cut_to_look_like_a_step_is_still_a_sample() -> None:
    # Ray shows what stands between two of its marks, and a page may hold them: ray/_private/worker.py, message_for.
    forged, own = (RAY + f"Global step {step}: {{'reward': {reward}}}" for step, reward in ((7, "nan"), (1, "0.5")))
    following = RAY + "Global step 2: {'reward': 0.6}"
    assert [step.step for step in read(forged, own, SAMPLE, following)] == [1, 2]


def test_a_metric_that_openrlhf_forgot_to_take_out_of_its_tensor_is_read() -> None:
    (step,) = read(SAMPLE, RAY + "Global step 1: {'reward': tensor(nan), 'kl': tensor(0.5)}")
    assert isnan(step.metrics["reward"])
    assert step.metrics["kl"] == 0.5


def test_sft_steps_are_counted_off_its_progress_bar() -> None:
    # The bar moves on with the metrics of the step before, and is then given its own.
    lines = [BAR.format(0, 2, 1, 2.5), BAR.format(0, 4, 2, 2.5), BAR.format(0, 4, 2, 2.3), BAR.format(1, 2, 1, 2.0)]
    found = [(step.step, step.metrics["gpt_loss"]) for step in read(*lines)]
    assert found == [(1, 2.5), (2, 2.3), (51, 2.0)], "an epoch has 50 steps"


def bars(places: list[tuple[int, int]], *losses: float) -> list[str]:
    return [BAR.format(epoch, 2 * shown, shown, loss) for (epoch, shown), loss in zip(places, losses, strict=True)]


def test_a_step_of_several_micro_batches_is_one_with_their_mean_loss() -> None:
    gathering, first = [(0, 4), (0, 4)], [(0, 2), (0, 2)]
    lines = bars([*first, (0, 3), *gathering[:1], *gathering], 4.0, 2.0, 2.0, 2.0, 3.0, 1.0)
    found = read(*lines, sft_micro_batches=2)
    assert [(step.step, step.metrics["gpt_loss"]) for step in found] == [(1, 3.0), (2, 2.0)]


def test_a_bar_drawn_once_more_at_its_end_adds_nothing() -> None:
    lines = bars([(0, 50), (0, 50), (0, 50), (0, 50)], 9.0, 4.0, 2.0, 2.0)
    (step,) = read(BAR.format(0, 98, 49, 9.0), *lines, sft_micro_batches=2)
    assert (step.step, step.metrics["gpt_loss"]) == (25, 3.0)


def test_a_step_over_the_end_of_an_epoch_is_one() -> None:
    # 50 micro batches an epoch, 4 to a step: the 13th step takes two of the second epoch.
    lines = bars([(0, 50), (1, 1), (1, 2), (1, 2), (1, 2), (1, 2), (1, 2)], 8.0, 8.0, 8.0, 1.0, 2.0, 3.0, 4.0)
    (step,) = read(*lines, sft_micro_batches=4)
    assert (step.step, step.metrics["gpt_loss"]) == (13, 2.5)


def test_a_bar_that_moved_on_without_new_metrics_is_no_step() -> None:
    without = "Train step of epoch 0:   4%|█    | 2/50 [00:01<00:20,  3.31it/s]"
    assert [step.step for step in read(BAR.format(0, 2, 1, 2.5), without)] == [1]


def test_a_resumed_sft_run_counts_on() -> None:
    assert [step.step for step in read(BAR.format(0, 2, 1, 2.5), sft_steps_done=40)] == [41]
    in_second_epoch = read(BAR.format(1, 2, 1, 2.5), BAR.format(2, 2, 1, 2.5), sft_steps_done=60)
    assert [step.step for step in in_second_epoch] == [61, 101], "the bar begins at 0 where the run goes on"


def test_all_metrics_of_the_bar_are_read() -> None:
    (step,) = read(BAR.format(0, 2, 1, 2.5))
    assert step.metrics == {"gpt_loss": 2.5, "lr": 0.0002, "grad_norm": 1.05}
