from typing import Literal

from tests.trainer.evaluation.report.sample import an_evaluation, some_runs
from trainer.evaluation.report.comparison_cautions import comparison_cautions
from trainer.evaluation.report.parts import Points
from trainer.evaluation.result import Evaluation, Rival, Runs
from trainer.evaluation.sentences import rival_sentences

SCORES = {"always_terminate": 0.3, "always_click": 0.25, "random": 0.2, "copy_last_action": 0.1}


def rival(
    baseline: str,
    model: float = 0.05,
    how: Literal["beats", "equals", "within_chance"] = "beats",
    figure: str = "exact_accuracy",
) -> Rival:
    lead = (-0.01, 0.02) if how == "within_chance" else None
    return Rival(baseline=baseline, figure=figure, score=SCORES[baseline], model=model, lead=lead, verdict=how)


def run(file: str, *rivals: Rival, warnings: tuple[str, ...] = ()) -> Evaluation:
    return an_evaluation(file=file, rivals=rivals, warnings=[*rival_sentences(rivals, 0.95), *warnings])


def in_words(*runs: Evaluation) -> list[str]:
    blocks = comparison_cautions(Runs(runs=runs, comparisons=some_runs().comparisons[:1]))
    return ["".join(item) for block in blocks if isinstance(block, Points) for item in block.items]


def test_what_runs_warn_of_is_said_once() -> None:
    shared, own = "Labels are few.", "2 lines could not be scored."
    runs = [run(f"runs/{name}.jsonl", warnings=(shared, *([own] if name != "b" else []))) for name in "abc"]
    assert in_words(*runs) == [f"Every run: {shared}", f"a.jsonl, c.jsonl: {own}"]


def test_of_many_runs_four_are_named() -> None:
    runs = [run(f"runs/{index}", warnings=("Few.",) if index else ()) for index in range(7)]
    assert in_words(*runs) == ["1, 2, 3, 4 and 2 more: Few."]


def test_the_strongest_baseline_is_named_once_with_the_runs_it_is_not_clearly_beaten_by() -> None:
    found = in_words(
        run("runs/a", rival("always_terminate", 0.1)),
        run("runs/b", rival("always_terminate", 0.3, "equals")),
        run("runs/c", rival("always_terminate", 0.31, "within_chance")),
        run("runs/d"),
    )
    assert found == [
        "always_terminate scores 30.0 % exact accuracy. No better: a, b. Better, but perhaps by chance: c."
    ]


def test_figures_and_baselines_that_the_same_runs_do_not_beat_are_named_together() -> None:
    rivals = (
        rival("always_terminate"),
        rival("random"),
        rival("copy_last_action"),
        rival("always_click", figure="type_accuracy"),
        rival("random", figure="type_accuracy"),
    )
    assert in_words(run("a", *rivals), run("b", *rivals, warnings=("Few.",))) == [
        "always_terminate scores 30.0 % exact accuracy, always_click scores 25.0 % type accuracy. "
        "No better: every run.",
        "Every run: on one headline figure or more, not clearly better than random, copy_last_action.",
        "b: Few.",
    ]


def test_nothing_to_know_takes_no_room() -> None:
    assert in_words(run("a"), run("b")) == []
