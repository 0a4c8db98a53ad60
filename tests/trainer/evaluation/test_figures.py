"""Accuracies, F1 and the confusion matrix, against scikit-learn."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

from tests.trainer.evaluation.support import OPERA, evaluated, rollout

ACTIONS = {
    "click": {"type": "click", "name": "a"},
    "input": {"type": "input", "name": "a", "text": "b"},
    "scroll": {"type": "scroll"},
    "terminate": {"type": "terminate"},
}
COMPLETIONS: dict[str, dict[str, str] | str] = {**ACTIONS, "unknown": {"type": "hover"}, "invalid": "no JSON"}

pairs = st.lists(st.tuples(st.sampled_from([*ACTIONS]), st.sampled_from([*COMPLETIONS])), min_size=1, max_size=40)


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_every_figure_on_types_is_scikit_learns(drawn: list[tuple[str, str]]) -> None:
    truth, predicted = [label for label, _ in drawn], [prediction for _, prediction in drawn]
    found = evaluated([rollout(ACTIONS[label], COMPLETIONS[prediction]) for label, prediction in drawn], spec=OPERA)
    classes = sorted(set(truth))
    of_labels = {"labels": classes, "zero_division": 0}
    assert found.type_f1.classes == classes
    assert found.type_accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert found.type_f1_macro == pytest.approx(f1_score(truth, predicted, average="macro", **of_labels))
    assert found.type_f1_weighted == pytest.approx(f1_score(truth, predicted, average="weighted", **of_labels))
    # an invalid completion is a prediction of a class that no label has: its F1 is 0
    with_invalid = {**of_labels, "labels": [*classes, *(["invalid"] if "invalid" in predicted else [])]}
    assert found.type_f1_macro_with_invalid == pytest.approx(
        f1_score(truth, predicted, average="macro", **with_invalid)
    )
    columns = zip(*precision_recall_fscore_support(truth, predicted, **of_labels), strict=True)
    for name, expected in zip(classes, columns, strict=True):
        of_type = found.per_type[name]
        figures = (of_type.precision or 0, of_type.type_accuracy, of_type.f1, of_type.rollouts)
        assert figures == pytest.approx(expected)
        assert (of_type.precision is None) == (name not in predicted)
    matrix = confusion_matrix(truth, predicted, labels=[*COMPLETIONS])
    assert found.confusion.counts == [matrix[[*COMPLETIONS].index(name)].tolist() for name in found.confusion.labels]
    assert found.confusion.predictions == [*COMPLETIONS]


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_f1_of_the_random_policy_is_what_many_draws_of_it_come_to(average: str) -> None:
    labels = ["click"] * 690 + ["input"] * 677 + ["terminate"] * 512
    lines = [rollout(ACTIONS[label], "x") for label in labels]
    expected = getattr(evaluated(lines, spec=OPERA).baselines["random"], f"type_f1_{average}")
    every_draw = [prediction for _ in labels for prediction in ACTIONS]
    truth = [label for label in labels for _ in ACTIONS]
    classes = sorted(set(labels))
    assert expected == pytest.approx(f1_score(truth, every_draw, average=average, labels=classes))
