import pytest

from tests.trainer.evaluation.report.odd import no_baseline_figures
from tests.trainer.evaluation.report.sample import an_evaluation
from trainer.evaluation.report.policies import best_baseline, best_constant, policies


def test_the_model_comes_first_then_the_best_by_exact_and_then_by_type_accuracy() -> None:
    assert [policy.name for policy in policies(an_evaluation())] == [
        "the model",
        "always_terminate",
        "random",
        "copy_last_action",
        "always_click",  # exact 0, like the next; 690 of 1879 labels against 677
        "always_type_and_submit",
    ]


def test_there_is_no_best_baseline_where_none_has_figures() -> None:
    best = best_baseline(an_evaluation())
    assert best is not None
    assert best.name == "always_terminate"
    assert best_baseline(no_baseline_figures()) is None


def test_a_policy_that_always_predicts_a_type_is_measured_on_that_type() -> None:
    sample = an_evaluation()
    assert best_constant(sample, "terminate") == pytest.approx(1.0)
    assert best_constant(sample, "click") == 0.0


def test_the_commonest_action_counts_on_its_own_type() -> None:
    sample = an_evaluation()
    commonest = sample.baselines["always_click"].model_copy(
        update={"action": {"type": "click", "name": "buy"}, "exact_accuracy": 69 / 1879}
    )
    sample = sample.model_copy(update={"baselines": {**sample.baselines, "most_frequent_action": commonest}})
    assert best_constant(sample, "click") == pytest.approx(0.1)  # 69 of 690
    assert best_constant(sample, "terminate") == pytest.approx(1.0)


def test_a_type_that_no_policy_always_predicts_has_none_to_be_held_against() -> None:
    assert best_constant(an_evaluation(baselines={}, rivals=[], warnings=[]), "click") is None
