import pytest

from tests.trainer.evaluation.report.sample import an_evaluation, some_runs
from trainer.evaluation.report.comparison import comparison_cautions, comparison_facts, comparison_section
from trainer.evaluation.report.parts import Plot, Points
from trainer.evaluation.result import Runs


def in_words(runs: Runs) -> list[str]:
    (block,) = comparison_cautions(runs)
    assert isinstance(block, Points)
    return ["".join(item) for item in block.items]


def test_what_every_run_warns_of_is_said_once() -> None:
    shared, own = "Labels are few.", "2 lines could not be scored."
    runs = [
        an_evaluation(file=f"{name}.jsonl", warnings=[shared, *([own] if name == "b" else [])], rivals=[])
        for name in "abc"
    ]
    compared = some_runs().model_copy(update={"runs": runs})
    assert in_words(compared) == [f"Every run: {shared}", f"b.jsonl: {own}"]


def test_the_baselines_that_a_run_does_not_beat_are_named_once_each() -> None:
    sample = an_evaluation()
    runs = [sample.model_copy(update={"file": "a"}), sample.model_copy(update={"file": "b", "rivals": []})]
    compared = Runs(runs=runs, comparisons=some_runs().comparisons[:1])
    assert in_words(compared)[-1] == (
        "a: Not clearly beaten, on one headline figure or more: always_terminate, always_click, "
        "always_type_and_submit, random, copy_last_action."
    )


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (("runs/sft/test.jsonl", "runs/grpo/test.jsonl"), "grpo/test.jsonl"),
        (("a.jsonl", "b.jsonl"), "b.jsonl"),
        (("test.jsonl", "test.jsonl"), "test.jsonl"),
        (("/data/a.jsonl", "/data/more/a.jsonl"), "more/a.jsonl"),
    ],
)
def test_a_plot_names_runs_without_the_folders_they_share(files: tuple[str, str], names: str) -> None:
    plot = comparison_section(some_runs(files)).blocks[0]
    assert isinstance(plot, Plot)
    figure = plot.draw(800)
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert names in texts
    assert f"{files[1]} +11.0 points, 8.1 to 13.9, p = 0.0010" in plot.alt


def test_the_reference_is_named_first() -> None:
    facts = [(name, "".join(value)) for name, value in comparison_facts(some_runs())]
    assert facts[:3] == [
        ("Reference", "runs/sft/test.jsonl"),
        ("Run", "runs/grpo/test.jsonl"),
        ("Run", "runs/binary/test.jsonl"),
    ]
    assert facts[3] == ("Rollouts in each", "1,879")
