import re

import pytest
from lxml import html

from tests.trainer.evaluation.report.odd import HOSTILE, SHOWN
from tests.trainer.evaluation.report.sample import an_evaluation, some_runs
from tests.trainer.evaluation.report.silence import no_warnings
from tests.trainer.training_curves.support import QUICK, Rows, curves, grpo, history, sft
from trainer.evaluation.report import html_report, html_training_report, markdown_report
from trainer.evaluation.result import Evaluation
from trainer.training_curves.curves import TrainingCurves, training_curves

SVG = "{http://www.w3.org/2000/svg}"


def words(element: html.HtmlElement) -> str:
    return " ".join("".join(element.itertext()).replace("\N{NO-BREAK SPACE}", " ").split())


def page(found: TrainingCurves) -> html.HtmlElement:
    return html.document_fromstring(html_training_report(found))


def plots(root: html.HtmlElement) -> list[html.HtmlElement]:
    return [element for element in root.iter() if element.tag in ("svg", f"{SVG}svg")]


def test_one_run_is_told_in_a_sentence() -> None:
    root = page(curves(grpo=grpo(101, rise=2)))
    # The first 11 of 101 steps rise from 0 to 0.2, the last from 1.8 to 2; the flutter leaves ∓0.01 / 11 in each.
    assert words(root.find_class("verdict")[0]).startswith("The optimised reward rose by 1.800 (95 % interval ")
    assert ", from 1.099 to 2.899, over 101 steps." in words(root.find_class("verdict")[0])
    assert words(root.find(".//h1")) == "Training of grpo"


def test_several_runs_are_held_beside_one_another() -> None:
    root = page(curves(**{"shop-r1": grpo(100, 1.0), "binary": grpo(80, 0.0, terminate=1.0)}))
    # 0.9 · 100 / 99 of the way from the middle of the first tenth to that of the last; a constant but for its flutter.
    assert words(root.find_class("verdict")[0]) == "What training optimises changed by +0.9091 in shop-r1, 0 in binary."
    assert "binary: the optimised reward stayed the same" in words(root.body)
    types = next(each for each in plots(root) if each.get("aria-label").startswith("Share of each predicted"))
    # Means of the shares at steps 1 to 8 and 73 to 80 of 80: ±3.5 steps, each 0.5 / 79 of the share.
    assert "terminate, % 52.22 to 97.78" in types.get("aria-label")
    assert "shop-r1: click, % 50.00 to 50.00" in types.get("aria-label")


def test_the_table_has_every_metric_of_every_run_and_is_folded() -> None:
    root = page(curves(a=grpo(40), b=sft(40)))
    (table,) = root.iter("table")
    assert "folded" in table.getparent().getparent().get("class")
    rows = [[words(cell) for cell in row] for row in table.findall("tbody/tr")]
    assert [row[:2] for row in rows] == [
        *(["a", key] for key in ("reward", "term_type", "term_value")),
        *(["a", key] for key in ("predicts_click, %", "predicts_terminate, %", "valid, %", "kl")),
        *(["b", key] for key in ("gpt_loss", "lr")),
    ]
    # 3 / step over steps 1 to 4: 3 · 25 / 48.
    assert rows[-2][2] == "1.562"
    assert re.fullmatch(r"−1\.\d+\[−\d\.\d+, −0\.\d+\]", rows[-2][4])
    # Constant values: the ends of the interval are 0, too.
    assert rows[1][2:] == ["0.3", "0.3", "0[0, 0]"]


def test_an_evaluation_ends_with_the_training_section() -> None:
    found = curves(grpo=grpo(40))
    for result in (an_evaluation(), some_runs()):
        root = html.document_fromstring(html_report(result, found))
        headings = [heading.get("id") for heading in root.iter("h2")]
        assert "training" in headings
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
    assert "training" not in html_report(an_evaluation())


def test_markdown_has_the_section_and_its_plots_too() -> None:
    text, files = markdown_report(an_evaluation(), "plots", curves(grpo=grpo(40)))
    assert "## Training" in text
    assert "`grpo`: the optimised reward rose by" in text
    assert {"training-reward.svg", "training-predicted.svg", "training-right.svg"} <= files.keys()
    assert "var(" not in files["training-reward.svg"]


def test_an_evaluation_with_training_is_read_back_as_it_was() -> None:
    result = an_evaluation().model_copy(update={"training": curves(grpo=grpo(40)).training})
    assert Evaluation.model_validate_json(result.model_dump_json()) == result


HUGE: Rows = [{"step": 2**53 - 2 + step, "reward": 1e100 * (-1) ** step, "kl": 1e-300} for step in range(3)]
ODD: list[tuple[str, Rows]] = [
    ("one", grpo(1)),
    ("two", grpo(2)),
    ("constant", [{"step": step, "reward": 0.1} for step in range(50)]),
    ("sparse", [{"step": step, "reward": 1.0, **({"kl": step} if step % 20 == 0 else {})} for step in range(50)]),
    ("sft", sft(5)),
    ("unknown", [{"step": 1, "entropy": 1.0, "": 2, "a\ud800".encode(errors="replace").decode(): 3}]),
    ("huge", HUGE),
    ("shares", [{"step": 1, "predicts_click": -0.5}, {"step": 2, "predicts_click": 1.5}]),
    (HOSTILE.replace("\ud800", "?"), [{"step": 1, "reward": 1, "term_<b>|`x`": 1, "predicts_<b>\x1b$x$": 0.5}]),
]


@pytest.mark.parametrize(("name", "rows"), ODD)
def test_odd_histories_are_reported_without_a_word_on_standard_error(
    name: str, rows: Rows, capfd: pytest.CaptureFixture[str]
) -> None:
    found = training_curves([history(name, rows)], QUICK)
    with no_warnings():
        text = html_training_report(found)
        markdown, _ = markdown_report(an_evaluation(), "plots", found)
    for written in (words(html.document_fromstring(text).body), markdown):
        assert not re.search(r"\b(nan|inf|None)\b", written)
    assert not re.search(r"[\s\"](nan|inf)[\s\"]", text)
    assert capfd.readouterr() == ("", "")


def test_names_stay_names() -> None:
    name = HOSTILE.replace("\ud800", "?")
    root = page(training_curves([history(name, [{"step": 1, "reward": 1}]), history("b", sft(2))], QUICK))
    shown = SHOWN.replace("\\ud800", "?")
    assert f"changed by 0 in {shown}, " in words(root.body)
    assert not list(root.iter("script", "img"))


def test_the_same_curves_give_the_same_bytes() -> None:
    found = curves(a=grpo(40), b=grpo(60))
    assert html_training_report(found) == html_training_report(found)


def test_runs_that_optimise_nothing_known_are_said_to() -> None:
    rows = [{"step": 1, "kl": 0.5}]
    assert words(page(curves(a=rows, b=rows)).find_class("verdict")[0]) == "2 runs without a reward or a loss."


def test_of_many_runs_the_first_are_told_in_words() -> None:
    root = page(curves(**{f"run-{index}": grpo(2) for index in range(6)}))
    assert "run-3: reward" in plots(root)[0].get("aria-label")
    assert plots(root)[0].get("aria-label").endswith("2 more runs.")
    assert words(root.find_class("verdict")[0]).endswith(" in run-3, and so on.")
