import pytest

from tests.trainer.evaluation.report.sample import some_runs
from trainer.evaluation.report.comparison import comparison_facts, comparison_section, comparison_verdict
from trainer.evaluation.report.parts import Plot


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


@pytest.mark.parametrize(("runs", "end"), [(5, ")."), (6, "); 1 more run below."), (12, "); 7 more runs below.")])
def test_the_verdict_names_four_runs_by_short_names(runs: int, end: str) -> None:
    verdict = "".join(comparison_verdict(some_runs([f"runs/{index}/test.jsonl" for index in range(runs)])))
    assert verdict.count(" points, ") == 4
    assert " in 4/test.jsonl (" in verdict
    assert "runs/" not in verdict
    assert "5/test.jsonl" not in verdict
    assert verdict.endswith(end)
