"""The report as GitHub-flavoured Markdown that also reads well as plain text, with its plots as SVG files beside it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from unicodedata import east_asian_width
from urllib.parse import quote

from reward_server.terminal import output_file
from trainer.evaluation.report.content import report_on
from trainer.evaluation.report.numbers import visible
from trainer.evaluation.report.parts import Block, Cell, Code, Paragraph, Plot, Points, Prose, Report, Strong, Table
from trainer.evaluation.report.plots.svg import standalone
from trainer.evaluation.result import Evaluation, Runs
from trainer.training_curves.curves import TrainingCurves

_WIDTH = 800
_WIDEST_PADDING = 64
"""Characters up to which the cells of a column are made equally wide."""

_ACTIVE = re.compile(r"[\\`*\[\]<>|$~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BLOCK_START = re.compile(r"^(\s*\d+(?=[.)](?:\s|$))|\s*(?=[+-]\s|#{1,6}(?:\s|$)|[=+-]+\s*$))")
_BACKTICKS = re.compile("`+")


def plots_folder(path: Path) -> Path:
    """Where the plots of a Markdown report lie: `report-plots` beside `report.md`."""
    return path.with_name(f"{path.stem}-plots")


def markdown_report(
    result: Evaluation | Runs, plots: str, curves: TrainingCurves | None = None
) -> tuple[str, dict[str, str]]:
    """The report's text, which links to its plots in the folder `plots`, and the plots: file name -> SVG."""
    writer = _Writer(plots)
    text = "\n\n".join(writer.report(report_on(result, curves), "", 1)) + "\n"
    return text, writer.plots


def write_markdown_report(result: Evaluation | Runs, path: Path, curves: TrainingCurves | None = None) -> None:
    """Write the report to `path` and its plots to `plots_folder(path)`, which may be there already.

    Raises typer.BadParameter where they cannot be written.
    """
    folder = plots_folder(path)
    with output_file(path, "--markdown") as opened:
        assert opened is not None
        text, plots = markdown_report(result, folder.name, curves)
        folder.mkdir(exist_ok=True)
        for name, drawing in plots.items():
            (folder / name).write_bytes(drawing.encode())
        opened.write(text.encode())


class _Writer:
    """Writes blocks, and keeps the plots that they show."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.plots: dict[str, str] = {}

    def report(self, report: Report, prefix: str, level: int) -> Iterator[str]:
        """The paragraphs of a report whose title is a heading of that level; `prefix` starts its plots' names."""
        yield f"{'#' * level} {_prose(report.title)}"
        yield _prose(report.verdict)
        yield "\n".join(f"- {_text(name)}: {_prose(value)}" for name, value in report.facts)
        if report.cautions:
            yield f"{'#' * (level + 1)} Before you read the figures"
            yield from self._blocks(report.cautions, prefix)
        for section in report.sections:
            yield f"{'#' * (level + 1)} {_text(section.title)}"
            yield from self._blocks(section.blocks, prefix)
        for index, run in enumerate(report.runs, 1):
            yield f"<details>\n<summary>Run {index}</summary>"
            yield from self.report(run, f"run-{index}-", level + 1)
            yield "</details>"

    def _blocks(self, blocks: Sequence[Block], prefix: str) -> Iterator[str]:
        for block in blocks:
            if isinstance(block, Paragraph):
                yield _prose(block.text)
            elif isinstance(block, Points):
                yield "\n".join(f"- {_prose(item)}" for item in block.items)
            elif isinstance(block, Table):
                yield f"{_text(block.caption)}:"
                yield _table(block)
            else:
                yield self._plot(block, prefix)
                yield _text(block.caption)

    def _plot(self, plot: Plot, prefix: str) -> str:
        name = f"{prefix}{plot.name}.svg"
        self.plots[name] = standalone(plot, _WIDTH)
        return f"![{_text(plot.alt)}]({quote(f'{self._folder}/{name}')})"


def _table(table: Table) -> str:
    heads = [_text(column.name) for column in table.columns]
    rows = [[_cell(cell) for cell in row.cells] for row in table.rows]
    numbers = [column.number for column in table.columns]
    widths = [
        max(3, *(min(_width(row[index]), _WIDEST_PADDING) for row in [heads, *rows])) for index in range(len(heads))
    ]
    rules = [f"{'-' * (width - 1)}:" if number else "-" * width for width, number in zip(widths, numbers, strict=True)]
    return "\n".join(_line(row, widths, numbers) for row in [heads, rules, *rows])


def _line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    padded = []
    for cell, width, number in zip(cells, widths, numbers, strict=True):
        padding = " " * (width - _width(cell))
        padded.append(padding + cell if number else cell + padding)
    return f"| {' | '.join(padded)} |"


def _width(text: str) -> int:
    """Columns that a terminal needs."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _cell(cell: Cell) -> str:
    text = "".join(_code_in_a_table(piece) if isinstance(piece, Code) else _piece(piece) for piece in cell.text)
    return f"{text} {cell.interval}" if cell.interval else text


def _prose(pieces: Prose) -> str:
    return "".join(map(_piece, pieces))


def _piece(piece: str) -> str:
    if isinstance(piece, Code):
        return _code(piece)
    return f"**{_text(piece)}**" if isinstance(piece, Strong) else _text(piece)


def _text(text: str) -> str:
    """Plain text, with a backslash before whatever Markdown or HTML would take for its own."""
    escaped = _ACTIVE.sub(lambda found: f"\\{found[0]}", visible(text))
    return _BLOCK_START.sub(r"\1\\", escaped)


def _code(text: str) -> str:
    """A code span, in a fence longer than any in the text."""
    shown = visible(text)
    if not shown.strip():
        return '""'
    fence = "`" * (max(map(len, _BACKTICKS.findall(shown)), default=0) + 1)
    padding = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def _code_in_a_table(text: str) -> str:
    """A code span whose bars end no cell; plain text for a bar after a backslash, on which parsers disagree in code."""
    return _text(text) if "\\|" in text else _code(text).replace("|", "\\|")
