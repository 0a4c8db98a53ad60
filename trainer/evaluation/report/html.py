"""The report as one HTML file that needs nothing beside it: no network, no script, no font."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from trainer.evaluation.report.content import report_on
from trainer.evaluation.report.numbers import visible
from trainer.evaluation.report.parts import Code, Plot, Report, Strong
from trainer.evaluation.report.plots.svg import inline
from trainer.evaluation.report.training import training_report
from trainer.evaluation.result import Evaluation, Runs
from trainer.training_curves.curves import TrainingCurves

_WIDE, _NARROW = 800, 340
"""Pixels for the plots of a wide page and of a phone; the page shows the one that fits."""
_JOINTS = re.compile(r"([_./-])(?=\w)")


def html_report(result: Evaluation | Runs, curves: TrainingCurves | None = None) -> str:
    """The report as the text of an HTML file; the same for the same result and curves."""
    return _page(report_on(result, curves))


def html_training_report(curves: TrainingCurves) -> str:
    """The report on training alone as the text of an HTML file; the same for the same curves."""
    return _page(training_report(curves))


def _page(report: Report) -> str:
    page = _environment().get_template("report.html")
    return page.render(report=report, drawn=_drawn)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("trainer.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {"visible": visible, "breakable": _breakable}
    environment.tests |= {"code": lambda text: isinstance(text, Code), "strong": lambda text: isinstance(text, Strong)}
    return environment


def _shown(value: object) -> object:
    """What an expression puts into the page: text without anything invisible, its percentages unbroken; or markup."""
    return value if hasattr(value, "__html__") else visible(str(value)).replace(" %", "\N{NO-BREAK SPACE}%")


def _breakable(markup: str) -> str:
    """Escaped data that may run into the next line after the marks which names and paths are joined with."""
    return _JOINTS.sub(r"\1<wbr>", str(markup))


def _drawn(plot: Plot, prefix: str) -> list[str]:
    """A plot wide and narrow; the prefix keeps its ids apart from those of other runs."""
    return [inline(plot, width, f"{prefix}{plot.name}-{width}") for width in (_WIDE, _NARROW)]
