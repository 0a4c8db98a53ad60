"""The part of a report on several runs that shows what the sampling temperature does (Figure 2 of the paper)."""

from collections.abc import Mapping, Sequence
from functools import partial

from trainer.evaluation.report.comparison import short_names
from trainer.evaluation.report.numbers import MOST_IN_WORDS, bounds
from trainer.evaluation.report.parts import Plot, Section
from trainer.evaluation.report.plots.sweep import SweepPanel, SweepPoint, draw_sweep
from trainer.evaluation.report.summary import level
from trainer.evaluation.result import Evaluation, Runs
from trainer.evaluation.sentences import FIGURE_NAMES, percent

_PANELS = {"exact_accuracy": "Exact accuracy, %", "type_accuracy": "Type accuracy, %"}


def sweep_sections(runs: Runs) -> list[Section]:
    """The section on temperatures; none where no model was run at two of them or more."""
    models = _by_temperature(runs.runs)
    if all(len(found) < 2 for found in models.values()):
        return []
    names = short_names(list(models))
    panels = [SweepPanel(title, [_points(found, key) for found in models.values()]) for key, title in _PANELS.items()]
    caption = (
        f"Upright lines: {level(runs.runs[0])} intervals. Models at one temperature stand a little apart. Whether two "
        "runs differ is read off the table of differences, not off overlapping intervals."
    )
    plot = Plot("temperature", _in_words(models), caption, partial(draw_sweep, names, panels))
    return [Section("temperature", "Sampling temperature", [plot])]


def _by_temperature(runs: Sequence[Evaluation]) -> dict[str, dict[float, Evaluation]]:
    """The runs of each model, by rising temperature."""
    models: dict[str, dict[float, Evaluation]] = {}
    for run in sorted(runs, key=lambda run: run.generation.temperature if run.generation else 0.0):
        if run.generation is not None:
            models.setdefault(run.generation.model, {})[run.generation.temperature] = run
    first = [run.generation.model for run in runs if run.generation is not None]
    return {model: models[model] for model in dict.fromkeys(first)}


def _points(runs: Mapping[float, Evaluation], figure: str) -> list[SweepPoint]:
    return [
        SweepPoint(temperature, getattr(run, figure), bounds(run.intervals.get(figure)))
        for temperature, run in runs.items()
    ]


def _in_words(models: Mapping[str, Mapping[float, Evaluation]]) -> str:
    sentences = [
        f"{FIGURE_NAMES['exact_accuracy'].capitalize()} of {model}: "
        + ", ".join(f"{percent(run.exact_accuracy)} at {temperature:g}" for temperature, run in runs.items())
        for model, runs in list(models.items())[:MOST_IN_WORDS]
    ]
    more = f"; {len(models) - MOST_IN_WORDS} more" if len(models) > MOST_IN_WORDS else ""
    return f"By temperature. {'; '.join(sentences)}{more}."
