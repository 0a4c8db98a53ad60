import re
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser

import pytest
from lxml import html

from tests.trainer.evaluation.report.odd import HOSTILE_TYPE, ODD, SHOWN, hostile, no_intervals
from tests.trainer.evaluation.report.sample import FIGURES, PER_TYPE, an_evaluation, some_runs
from tests.trainer.evaluation.report.silence import no_warnings
from trainer.evaluation.report import html_report
from trainer.evaluation.result import HEADLINES, Evaluation, Runs

SVG = "{http://www.w3.org/2000/svg}"


@cache
def written(result: Callable[[], Evaluation | Runs]) -> str:
    return html_report(result())


def page(result: Callable[[], Evaluation | Runs]) -> html.HtmlElement:
    return html.document_fromstring(written(result))


def words(element: html.HtmlElement) -> str:
    """The text as a reader has it."""
    return " ".join("".join(element.itertext()).replace("\N{NO-BREAK SPACE}", " ").split())


def cells(root: html.HtmlElement) -> Iterator[tuple[str, list[str]]]:
    """Every table's caption, and its cells."""
    for table in root.iter("table"):
        yield words(table.find("caption")), [words(cell) for cell in table.iter("td", "th")]


def table(root: html.HtmlElement, caption: str) -> list[str]:
    (found,) = [texts for title, texts in cells(root) if title.startswith(caption)]
    return found


@pytest.fixture(scope="module")
def sample_page() -> html.HtmlElement:
    return page(an_evaluation)


@pytest.mark.parametrize("result", ODD)
def test_odd_results_are_reported_without_a_word_on_standard_error(
    result: Callable[[], Evaluation | Runs], capfd: pytest.CaptureFixture[str]
) -> None:
    with no_warnings():
        text = written(result)
    shown = words(html.document_fromstring(text).body)
    assert not re.search(r"\b(nan|inf|None)\b", shown)
    assert not re.search(r"[\s\"](nan|inf)[\s\"]", text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("result", [an_evaluation, hostile, some_runs])
def test_the_file_needs_nothing_beside_it(result: Callable[[], Evaluation | Runs]) -> None:
    root = page(result)
    for element in root.iter("script", "link", "img", "iframe", "object", "embed", "base", "form", "image"):
        pytest.fail(f"the page has a {element.tag}")
    for element in root.iter():
        for name, value in element.attrib.items():
            assert not name.startswith("on"), name
            assert "url(" not in value
            if name in ("src", "href") or name.endswith("}href"):
                assert value.startswith("#")
    style = root.find("head/style").text
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("result", [an_evaluation, some_runs])
def test_no_two_elements_share_an_id_and_every_reference_is_met(result: Callable[[], Evaluation | Runs]) -> None:
    root = page(result)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    used = [value[1:] for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")]
    named = [element.get("aria-labelledby") for element in root.iter() if element.get("aria-labelledby")]
    assert used
    assert set(used + named) <= set(ids)


def test_the_same_result_gives_the_same_bytes() -> None:
    assert written(an_evaluation) == html_report(an_evaluation())


def test_the_verdict_holds_exact_accuracy_against_the_best_baseline(sample_page: html.HtmlElement) -> None:
    (verdict,) = sample_page.find_class("verdict")
    # (51 + 419 + 51) / 1879 and 512 / 1879; the sample's intervals reach 2 points to either side.
    assert words(verdict) == (
        "Exact accuracy is 27.7 % (95 % interval 25.7 to 29.7), beside 27.2 % (25.2 to 29.2) of the best trivial "
        "policy, always_terminate: a lead of 0.5 points that may be chance (−1.9 to 3.1)."
    )


def test_warnings_and_rivals_stand_before_every_figure(sample_page: html.HtmlElement) -> None:
    text = words(sample_page.body)
    first_table = text.index("Headline figures in percent")
    sample = an_evaluation()
    assert len(sample.rivals) > 4
    for warning in sample.warnings:
        assert text.index(warning) < first_table
    (cautions,) = sample_page.find_class("cautions")
    for rival in sample.rivals:
        assert rival.baseline in words(cautions)
    assert "Not clearly beaten on type accuracy, where the model has 36.4 %: always_type_and_submit with 36.0 %" in text


def test_what_was_evaluated_is_named(sample_page: html.HtmlElement) -> None:
    sample = an_evaluation()
    (facts,) = sample_page.find_class("facts")
    for fact in ("1,879", "512", "shop-r1", sample.spec.digest, "95 %, from 2,000 resamples of 512 sessions"):
        assert fact in words(facts)
    assert words(sample_page.find(".//h1")) == f"Evaluation of {sample.file}"
    assert sample_page.find("head/title").text == f"Evaluation of {sample.file}"


def test_every_figure_of_the_model_and_the_baselines_appears(sample_page: html.HtmlElement) -> None:
    sample = an_evaluation()
    found = table(sample_page, "Headline figures") + table(sample_page, "Further figures")
    for figure in FIGURES:
        low, high = sample.intervals[figure] or (0, 0)
        text = f"{100 * getattr(sample, figure):.1f}[{100 * low:.1f}, {100 * high:.1f}]"
        assert text in found, figure
    leads = table(sample_page, "The model minus each baseline")
    for name, baseline in sample.baselines.items():
        assert name in found
        for figure in HEADLINES:
            low, high = baseline.intervals[figure] or (0, 0)
            assert f"{100 * getattr(baseline, figure):.1f}[{100 * low:.1f}, {100 * high:.1f}]" in found
            low, high = baseline.leads[figure] or (0, 0)
            lead = (
                f"{100 * (getattr(sample, figure) - getattr(baseline, figure)):+.1f}[{100 * low:.1f}, {100 * high:.1f}]"
            )
            assert lead.replace("-", "−") in leads


def test_every_figure_per_type_appears(sample_page: html.HtmlElement) -> None:
    found = table(sample_page, "Per label type")
    # 512 of 1879 labels; 452 + 419 + 347 predictions.
    assert found[8 + 8 : 8 + 11] == ["terminate", "51227.2 %", "1,21864.8 %"]
    for name, figures in an_evaluation().per_type.items():
        row = found[found.index(name) :][: 3 + len(PER_TYPE)]
        for text, figure in zip(row[3:], PER_TYPE, strict=True):
            assert text.startswith(f"{100 * getattr(figures, figure):.1f}[")


def test_the_confusion_matrix_is_a_table_too(sample_page: html.HtmlElement) -> None:
    found = table(sample_page, "Rollouts by label")
    assert found[:6] == ["Label", "click", "terminate", "type_and_submit", "unknown", "invalid"]
    assert found[6:12] == ["click", "71", "452", "139", "3", "25"]


def test_rewards_reasons_similarities_and_mistakes_appear(sample_page: html.HtmlElement) -> None:
    # 0.4822 + 0.1093 + 0.0283 + 56.121
    assert table(sample_page, "Mean rewards")[8:16] == [
        "all",
        "1,879",
        "0.482",
        "0.109",
        "0.028",
        "56.121",
        "56.741[52.10, 61.38]",
        "7.4[6.1, 8.8]",
    ]
    # 67 invalid completions, a third of them not JSON.
    assert table(sample_page, "Invalid completions")[4:8] == [
        "extra_text",
        "other text around the JSON object",
        "45",
        "2.4",
    ]
    assert table(sample_page, "Similarities")[-5:] == [
        "type_and_submit · text",
        "194",
        "> 0.75",
        "6131.4 %",
        "5126.3 %",
    ]
    mistakes = table(sample_page, "Valid but wrong")
    assert mistakes[3:6] == ["click name add_to_cart.buy_now", "terminate", "213"]
    assert mistakes[8] == "18 to 21"


def test_lines_left_out_are_listed(sample_page: html.HtmlElement) -> None:
    assert table(sample_page, "Lines left out")[3:] == [
        "17",
        "/label/type",
        "unknown action type 'hover'",
        "904",
        "the whole line",
        "not JSON: unexpected end of data",
    ]


def test_every_plot_is_told_in_words(sample_page: html.HtmlElement) -> None:
    plots = [element for element in sample_page.iter() if element.tag in ("svg", f"{SVG}svg")]
    assert {element.get("role") for element in plots} == {"img"}
    told = {element.get("aria-label").replace("\N{NO-BREAK SPACE}", " ") for element in plots}
    assert len(told) == 5
    assert len(plots) == 10
    for figure in (
        "the model 27.7 % (25.7 to 29.7)",
        "of 690 click labels, 10.3 % were predicted as click",
        "51.3 %, as",
    ):
        assert any(figure in text for text in told), figure


def test_tables_say_what_their_headings_head(sample_page: html.HtmlElement) -> None:
    for found in sample_page.iter("table"):
        assert words(found.find("caption"))
        assert {cell.get("scope") for cell in found.findall("thead//th")} == {"col"}
        assert {cell.get("scope") for cell in found.findall("tbody//th")} == {"row"}
        columns = len(found.findall("thead//th"))
        assert {len(row) for row in found.findall("tbody/tr")} == {columns}


def test_data_stay_data() -> None:
    root = page(hostile)
    assert words(root.find(".//h1")) == f"Evaluation of {SHOWN}"
    assert SHOWN in words(root.find_class("cautions")[0])
    assert f"click name {SHOWN}" in table(root, "Valid but wrong")
    assert f"{HOSTILE_TYPE}0" in table(root, "Per label type")
    assert any(f"{HOSTILE_TYPE}0" == element.text for element in root.iter("text", f"{SVG}text"))


def test_without_intervals_the_reason_is_given() -> None:
    text = words(page(no_intervals).body)
    assert "none: an interval needs two sessions or more, and there is one" in text
    assert "a lead of 0.5 points, without an interval." in text
    assert "95 %" not in text


def test_a_comparison_comes_first_and_its_runs_are_folded() -> None:
    root = page(some_runs)
    assert words(root.find(".//h1")) == "Comparison of 3 runs"
    assert "in grpo/test.jsonl (+11.0 points, 8.1 to 13.9, p = 0.0010)" in words(root.find_class("verdict")[0])
    differences = table(root, "Run minus reference")
    assert differences[4:8] == ["runs/grpo/test.jsonl", "exact accuracy", "+11.0[8.1, 13.9]", "0.0010"]
    runs = root.find_class("run")
    assert [words(run.find("summary")) for run in runs] == [
        f"Evaluation of runs/{name}/test.jsonl" for name in ("sft", "grpo", "binary")
    ]
    assert all(run.tag == "details" and run.get("open") is None for run in runs)
    assert all(len(run.find_class("cautions")) == 1 for run in runs)


class Nesting(HTMLParser):
    """Takes no tag that is closed out of turn, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """An element of SVG without content."""


@pytest.mark.parametrize("result", [an_evaluation, some_runs])
def test_every_tag_is_closed_in_turn(result: Callable[[], Evaluation | Runs]) -> None:
    nesting = Nesting()
    nesting.feed(written(result))
    nesting.close()
    assert nesting.open == []
    assert written(result).startswith("<!DOCTYPE html>")
