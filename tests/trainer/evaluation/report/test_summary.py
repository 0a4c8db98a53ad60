from typing import Any, Literal

import pytest

from tests.trainer.evaluation.report.odd import no_baselines, no_intervals
from tests.trainer.evaluation.report.sample import an_evaluation
from trainer.bootstrap import Interval
from trainer.evaluation.report.parts import Points
from trainer.evaluation.report.summary import cautions, verdict
from trainer.evaluation.result import Evaluation, Rival


def rival(
    baseline: str = "always_terminate",
    how: Literal["beats", "equals", "within_chance"] = "beats",
    lead: Interval | None = None,
    figure: str = "exact_accuracy",
) -> Rival:
    return Rival(baseline=baseline, figure=figure, score=0.3, model=0.25, lead=lead, verdict=how)


def said(**changes: Any) -> str:
    return "".join(verdict(an_evaluation(**changes)))


def points(evaluation: Evaluation) -> list[str]:
    (block,) = cautions(evaluation)
    assert isinstance(block, Points)
    return ["".join(item) for item in block.items]


@pytest.mark.parametrize(
    ("rivals", "end"),
    [
        ([], "a lead of 0.5 points (−1.9 to 3.1)."),
        ([rival(how="within_chance")], "a lead of 0.5 points that may be chance (−1.9 to 3.1)."),
        ([rival(how="equals")], "the model is no better."),
        ([rival(how="beats")], "the model does not beat it."),
        ([rival(figure="type_accuracy")], "a lead of 0.5 points (−1.9 to 3.1)."),
        ([rival("random")], "a lead of 0.5 points (−1.9 to 3.1)."),
    ],
)
def test_the_verdict_says_what_a_lead_over_the_best_baseline_is_worth(rivals: list[Rival], end: str) -> None:
    assert said(rivals=rivals).endswith(f"of the best trivial policy, always_terminate: {end}")


def test_a_lead_without_an_interval_is_said_to_have_none() -> None:
    start = "Exact accuracy is 27.7 %, beside 27.2 % of the best trivial policy, always_terminate"
    assert "".join(verdict(no_intervals())) == f"{start}: a lead of 0.5 points, without an interval."


def test_a_verdict_without_baselines_says_so() -> None:
    assert "".join(verdict(no_baselines())).endswith(", and no baseline could be computed to hold it against.")


def test_nothing_to_know_takes_no_room() -> None:
    assert cautions(an_evaluation(rivals=[], warnings=[])) == []


def test_rivals_that_no_warning_names_are_listed_by_figure() -> None:
    rivals = [
        rival(),
        rival("copy_last_action", "within_chance", (-0.01, 0.02)),
        rival("random", "equals", figure="type_accuracy"),
    ]
    assert points(an_evaluation(rivals=rivals, warnings=["Beware."])) == [
        "Beware.",
        "Not clearly beaten on exact accuracy, where the model has 25.0 %: always_terminate with 30.0 %, more than the "
        "model; copy_last_action with 30.0 %, the model's lead being −1.0 to 2.0 points.",
        "Not clearly beaten on type accuracy, where the model has 25.0 %: random with 30.0 %, as much as the model.",
    ]


def test_a_rival_that_a_warning_names_is_not_named_twice() -> None:
    warning = (
        "The baseline always_terminate scores 30.0 % exact accuracy, the model 25.0 %: the model does not beat it."
    )
    assert points(an_evaluation(rivals=[rival()], warnings=[warning])) == [warning]
