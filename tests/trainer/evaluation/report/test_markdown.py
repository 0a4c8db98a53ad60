import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from lxml import etree
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.trainer.evaluation.report.odd import (
    HOSTILE_TYPE,
    SHOWN,
    hostile,
    no_baseline_figures,
    no_intervals,
    not_a_number,
    nothing_valid,
    runs_of_one_session,
)
from tests.trainer.evaluation.report.sample import FIGURES, an_evaluation, some_runs
from tests.trainer.evaluation.report.silence import no_warnings
from trainer.evaluation.report import markdown_report, write_markdown_report
from trainer.evaluation.report.markdown import plots_folder
from trainer.evaluation.result import HEADLINES, Evaluation, Runs

Result = Callable[[], Evaluation | Runs]

RUNS = ("sft.jsonl", "grpo.jsonl")

GFM = MarkdownIt("commonmark").enable("table").enable("strikethrough")


@cache
def written(result: Result) -> tuple[str, dict[str, str]]:
    return markdown_report(result(), "report-plots")


def tokens(result: Result) -> list[Token]:
    return GFM.parse(written(result)[0])


def inlines(result: Result) -> Iterator[Token]:
    for token in tokens(result):
        yield from token.children or ()


def as_read(token: Token) -> str:
    """The text of a paragraph or a cell as a reader has it."""
    return "".join(child.content for child in token.children or ())


def rows(result: Result) -> list[list[str]]:
    """The rows of all tables, parsed by a peer."""
    found: list[list[str]] = []
    inside = False
    for token in tokens(result):
        if token.type == "tr_open":
            found.append([])
        inside = token.type in ("td_open", "th_open") or (inside and token.type == "inline")
        if inside and token.type == "inline":
            found[-1].append(as_read(token))
    return found


def source_tables(text: str) -> list[list[str]]:
    """The lines of each table as they stand in the file."""
    tables = [block.split("\n") for block in text.strip().split("\n\n")]
    return [lines for lines in tables if lines[0].startswith("| ")]


@pytest.mark.parametrize(
    "result", [nothing_valid, no_intervals, no_baseline_figures, not_a_number, runs_of_one_session]
)
def test_odd_results_are_reported(result: Result, capfd: pytest.CaptureFixture[str]) -> None:
    with no_warnings():
        text, _ = written(result)
    assert not re.search(r"\b(nan|inf|None)\b", text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("result", [an_evaluation, hostile, some_runs])
def test_every_row_of_a_table_has_as_many_cells_as_its_heading(result: Result) -> None:
    tables = source_tables(written(result)[0])
    assert len(tables) > 8
    for lines in tables:
        bars = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
        assert len(set(bars)) == 1, lines


@pytest.mark.parametrize("result", [an_evaluation, hostile, some_runs])
def test_a_peer_reads_every_table(result: Result) -> None:
    text, _ = written(result)
    assert len(rows(result)) == sum(len(lines) - 1 for lines in source_tables(text))


def test_tables_are_aligned_as_plain_text() -> None:
    for lines in source_tables(written(an_evaluation)[0]):
        if "Prediction" not in lines[0]:
            assert len({len(line) for line in lines}) == 1, lines[0]


def test_every_figure_of_the_model_and_the_baselines_appears() -> None:
    sample = an_evaluation()
    found = [cell for row in rows(an_evaluation) for cell in row]
    for figure in FIGURES:
        low, high = sample.intervals[figure] or (0, 0)
        assert f"{100 * getattr(sample, figure):.1f} [{100 * low:.1f}, {100 * high:.1f}]" in found
    for name, baseline in sample.baselines.items():
        assert name in found
        for figure in HEADLINES:
            low, high = baseline.leads[figure] or (0, 0)
            lead = 100 * (getattr(sample, figure) - getattr(baseline, figure))
            assert f"{lead:+.1f} [{100 * low:.1f}, {100 * high:.1f}]".replace("-", "−") in found


def test_warnings_and_rivals_stand_before_every_figure() -> None:
    text, _ = written(an_evaluation)
    sample = an_evaluation()
    top = text[: text.index("## Headline figures")]
    for warning in sample.warnings:
        assert warning in top
    assert all(rival.baseline in top for rival in sample.rivals)


def test_data_come_back_as_they_were_and_as_nothing_else() -> None:
    assert {token.type for token in inlines(hostile)} <= {"text", "code_inline", "strong_open", "strong_close", "image"}
    assert not [token for token in tokens(hostile) if "html" in token.type]
    title = next(token for token in tokens(hostile) if SHOWN in as_read(token))
    assert as_read(title) == f"Evaluation of {SHOWN}"
    assert SHOWN in [as_read(token) for token in tokens(hostile)]
    # A bar in a cell is told by a backslash, in code too.
    assert f"{HOSTILE_TYPE}0" in [row[0] for row in rows(hostile)]
    assert f"click name {SHOWN}" in [row[0] for row in rows(hostile)]
    assert "click name ` " in [row[1] for row in rows(hostile) if len(row) > 1]


def test_only_the_folds_of_runs_are_html() -> None:
    html = [token.content for token in tokens(some_runs) if token.type == "html_block"]
    folds = [f"<details>\n<summary>Run {run}</summary>\n" for run in (1, 2, 3)]
    assert html == [part for fold in folds for part in (fold, "</details>\n")]


def test_every_plot_lies_where_its_link_points_and_is_told_in_words(tmp_path: Path) -> None:
    report = tmp_path / "final report.md"
    write_markdown_report(some_runs(RUNS), report)
    images = [
        token for block in GFM.parse(report.read_text()) for token in block.children or () if token.type == "image"
    ]
    assert len(images) == 1 + 2 * 5
    for image in images:
        source = image.attrs["src"]
        assert isinstance(source, str)
        svg = etree.parse(tmp_path / source.replace("%20", " ")).getroot()
        told = svg.findtext("{http://www.w3.org/2000/svg}title")
        assert told == image.content
        assert len(told) > 40
    names = {path.name for path in (tmp_path / "final report-plots").iterdir()}
    assert {"differences.svg", "run-1-confusion.svg", "run-2-similarities.svg"} <= names
    assert not list(tmp_path.glob("*.part"))


def test_a_plot_in_a_file_shows_on_any_page_and_needs_no_style_of_it() -> None:
    for drawing in written(an_evaluation)[1].values():
        assert "var(" not in drawing
        assert 'fill="#ffffff"' in drawing
        assert "<script" not in drawing
        assert re.findall(r"https?://[^\"]+", drawing) == ["http://www.w3.org/2000/svg"]


def test_the_same_result_gives_the_same_bytes() -> None:
    assert written(an_evaluation) == markdown_report(an_evaluation(), "report-plots")


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    write_markdown_report(an_evaluation(), report)
    write_markdown_report(no_intervals(), report)
    assert "There are no intervals" in report.read_text()
    assert (plots_folder(report) / "policies.svg").is_file()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "report-plots").write_text("in the way")
    with pytest.raises(typer.BadParameter, match=r"report\.md: File exists"):
        write_markdown_report(an_evaluation(), tmp_path / "report.md")
    assert not (tmp_path / "report.md").exists()


def test_a_warning_starts_no_heading_and_no_list() -> None:
    texts = ["# a", "1. b", "- c", "+ d", "---", "27.5 e", "+27.5 f"]
    blocks = markdown_report(an_evaluation(warnings=texts, rivals=[]), "plots")[0].split("\n\n")
    (found,) = [block for block in blocks if "27.5 e" in block]
    assert found == "- \\# a\n- 1\\. b\n- \\- c\n- \\+ d\n- \\---\n- 27.5 e\n- +27.5 f"
    items = [token for token in GFM.parse(found) if token.type == "inline"]
    assert [as_read(item) for item in items] == texts
