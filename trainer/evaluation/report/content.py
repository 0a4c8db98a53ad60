"""A result -> its report, whatever it will be written as."""

from trainer.evaluation.report.comparison import (
    comparison_facts,
    comparison_section,
    comparison_verdict,
)
from trainer.evaluation.report.comparison_cautions import comparison_cautions
from trainer.evaluation.report.headlines import headlines
from trainer.evaluation.report.methods import methods
from trainer.evaluation.report.parts import Code, Report
from trainer.evaluation.report.rewards import mistakes, rewards, similarities
from trainer.evaluation.report.summary import cautions, facts, verdict
from trainer.evaluation.report.sweep import sweep_sections
from trainer.evaluation.report.training import training_section
from trainer.evaluation.report.types import confusion, per_type
from trainer.evaluation.result import Evaluation, Runs
from trainer.training_curves.curves import TrainingCurves

_SECTIONS = (headlines, per_type, confusion, rewards, similarities, mistakes, methods)


def report_on(result: Evaluation | Runs, curves: TrainingCurves | None = None) -> Report:
    """Everything that the report says, in the order in which it does; the training at the end, if there are curves."""
    report = _report_on(result)
    return report if curves is None else report._replace(sections=[*report.sections, training_section(curves)])


def _report_on(result: Evaluation | Runs) -> Report:
    if isinstance(result, Evaluation):
        sections = [section(result) for section in _SECTIONS]
        title = ("Evaluation of ", Code(result.file))
        return Report(title, facts(result), verdict(result), cautions(result), sections)
    return Report(
        (f"Comparison of {len(result.runs)} runs",),
        comparison_facts(result),
        comparison_verdict(result),
        comparison_cautions(result),
        [comparison_section(result), *sweep_sections(result)],
        [_report_on(run) for run in result.runs],
    )
