from collections.abc import Sequence

from tests.trainer.evaluation.report.sample import an_evaluation, around, some_runs
from trainer.evaluation.report import html_report, markdown_report
from trainer.evaluation.report.parts import Plot
from trainer.evaluation.report.sweep import sweep_sections
from trainer.evaluation.result import Evaluation, Generation, Runs


def a_run(model: str, temperature: float, exact: float) -> Evaluation:
    run = an_evaluation(file=f"{model} at temperature {temperature:g}")
    made = Generation(
        model=model,
        engine="vllm",
        data="sha256:0",
        limit=None,
        temperature=temperature,
        max_new_tokens=512,
        samples=1,
        seed=0,
    )
    intervals = {**run.intervals, "exact_accuracy": around(exact)}
    return run.model_copy(update={"exact_accuracy": exact, "intervals": intervals, "generation": made})


def some(runs: Sequence[Evaluation]) -> Runs:
    sample = some_runs().comparisons[0]
    return Runs(runs=runs, comparisons=[sample.model_copy(update={"file": run.file}) for run in runs[1:]])


SWEEP = some(
    [
        a_run("runs/sft", 0.6, 0.16),
        a_run("runs/sft", 0.0, 0.17),
        a_run("runs/grpo", 0.6, 0.25),
        a_run("runs/grpo", 0.0, 0.27),
    ]
)


def test_a_line_joins_the_temperatures_of_each_model_with_its_intervals() -> None:
    (section,) = sweep_sections(SWEEP)
    (plot,) = section.blocks
    assert isinstance(plot, Plot)
    figure = plot.draw(800)
    exact = figure.axes[2]
    assert [line.get_ydata().tolist() for line in exact.lines[::2]] == [[0.17, 0.16], [0.27, 0.25]]
    ends = [path.vertices[:, 1].tolist() for lines in exact.collections for path in lines.get_paths()]
    assert [0.15, 0.19] in [[round(end, 9) for end in pair] for pair in ends]
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"sft", "grpo", "Exact accuracy, %", "Type accuracy, %", "0", "0.6", "temperature"} <= texts
    assert "Exact accuracy of runs/grpo: 27.0 % at 0, 25.0 % at 0.6" in plot.alt


def test_models_at_one_temperature_stand_apart_by_few_pixels_alone() -> None:
    plot = sweep_sections(SWEEP)[0].blocks[0]
    assert isinstance(plot, Plot)
    exact = plot.draw(340).axes[2]
    (sft, grpo) = (float(line.get_xdata()[0]) for line in exact.lines[::2])
    low, high = exact.get_xlim()
    pixels = (grpo - sft) / (high - low) * exact.get_window_extent().width
    assert 3 <= pixels <= 10
    assert low < sft < 0 < grpo < 0.6 < high


def test_there_is_no_such_section_where_each_model_has_one_temperature() -> None:
    assert sweep_sections(some([a_run("a", 0.0, 0.1), a_run("b", 0.0, 0.2)])) == []
    assert sweep_sections(some_runs()) == []


def test_both_reports_have_it() -> None:
    assert "Sampling temperature" in html_report(SWEEP)
    text, plots = markdown_report(SWEEP, "plots")
    assert "## Sampling temperature" in text
    assert "temperature.svg" in plots
    assert "at temperature 0.6 by vllm, at most 512 tokens" in text
    assert "greedily by vllm" in text
