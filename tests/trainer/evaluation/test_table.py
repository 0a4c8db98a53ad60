"""The paper's Table 3, worked out against its Table 2."""

from pathlib import Path

import pytest

from tests.trainer.evaluation.support import RED, SEARCH, SPEC, STOP, evaluated, rollout
from trainer.evaluation.published import read_table
from trainer.evaluation.table import CheckedTable, TableRun, check_table

TABLE_3 = Path(__file__).parents[3] / "examples" / "table3.csv"

LABELS = {"click": RED, "type_and_submit": SEARCH, "terminate": STOP}
WRONG = {"click": STOP, "type_and_submit": STOP, "terminate": RED}


def table_of(text: str) -> CheckedTable:
    return check_table("table.csv", read_table(text.splitlines(), SPEC.action_space), SPEC)


@pytest.fixture(scope="module")
def paper() -> dict[str, TableRun]:
    checked = table_of(TABLE_3.read_text(encoding="utf-8"))
    assert not checked.fits
    return {run.run: run for run in checked.runs}


def test_the_rows_give_back_table_2_except_in_two_runs(paper: dict[str, TableRun]) -> None:
    misfits = {
        name: (round(100 * run.exact_accuracy.value, 2), round(100 * run.type_accuracy.value, 2))
        for name, run in paper.items()
        if not (run.exact_accuracy.fits and run.type_accuracy.fits)
    }
    # published: 0.32 and 15.33, 27.72 and 31.83
    assert misfits == {"3B zero-shot": (0.27, 14.80), "0.5B Shop-R1": (28.15, 33.26)}


def test_all_that_fits_was_rounded_but_one_figure_that_was_cut_off(paper: dict[str, TableRun]) -> None:
    cut = [(name, run.exact_accuracy.printing, run.type_accuracy.printing) for name, run in paper.items()]
    # 51 + 51 + 419 of 1,879 are 27.7275 %
    assert [found for found in cut if "cut" in found] == [("3B Shop-R1", "cut", "rounded")]


def test_the_trivial_policies_score_what_the_label_counts_say(paper: dict[str, TableRun]) -> None:
    baselines = paper["3B Shop-R1"].baselines
    assert baselines["always_terminate"].exact_accuracy == baselines["always_terminate"].type_accuracy == 512 / 1879
    assert (baselines["always_click"].exact_accuracy, baselines["always_click"].type_accuracy) == (0, 690 / 1879)
    assert baselines["always_click"].type_f1_macro == pytest.approx(2 * 690 / (690 + 1879) / 3)
    assert baselines["random"].exact_accuracy == pytest.approx(512 / 3 / 1879)
    # 1,879 / 3 predictions of each type
    f1 = {n: 2 * n / 3 / (n + 1879 / 3) for n in (690, 677, 512)}
    assert baselines["random"].type_f1_macro == pytest.approx(sum(f1.values()) / 3)
    assert baselines["random"].type_f1_weighted == pytest.approx(sum(n * value for n, value in f1.items()) / 1879)


def test_the_runs_that_a_trivial_policy_reaches_are_told(paper: dict[str, TableRun]) -> None:
    beaten = {"type_accuracy": "always_click", "type_f1_macro": "random"}
    assert paper["3B Shop-R1"].rivals == beaten
    assert paper["1.5B Shop-R1"].rivals == {"exact_accuracy": "always_terminate", **beaten}


@pytest.mark.parametrize("name", ["3B Shop-R1", "1.5B SFT"])
def test_rollouts_with_a_rows_counts_evaluate_to_the_published_figures(name: str, paper: dict[str, TableRun]) -> None:
    runs = {run.name: run for run in read_table(TABLE_3.read_text(encoding="utf-8").splitlines(), SPEC.action_space)}
    lines = []
    for label_type, row in runs[name].types.items():
        label = LABELS[label_type]
        exact, right = (int(row.hits[figure].likeliest) for figure in ("exact", "type"))
        other = {**label, "name": "elsewhere"}
        lines += [rollout(label, label)] * exact + [rollout(label, other)] * (right - exact)
        lines += [rollout(label, WRONG[label_type])] * (row.rollouts - right)
    found = evaluated(lines)
    assert found.exact_accuracy == pytest.approx(paper[name].exact_accuracy.value)
    assert found.type_accuracy == pytest.approx(paper[name].type_accuracy.value)
    for figure in ("exact_accuracy", "type_accuracy"):
        assert 100 * getattr(found, figure) == pytest.approx(float(getattr(paper[name], figure).published), abs=0.01)
    of_table, of_run = paper[name].baselines, found.baselines
    for baseline, figures in of_table.items():
        assert {figure: getattr(of_run[baseline], figure) for figure in figures.model_dump()} == pytest.approx(
            figures.model_dump()
        )


def test_a_coarse_percentage_is_held_against_all_counts_it_may_stand_for() -> None:
    header = "run,type,rollouts,exact_percent,type_percent,published_type_percent\n"
    # 2.5 % to 3.5 % of 1,000 and of 1,000 again
    for published, fits in (("2.49", False), ("2.50", True), ("3.50", True), ("3.51", False)):
        table = table_of(f"{header}a,click,1000,0,3,{published}\na,terminate,1000,3,3,{published}\n")
        assert (table.fits, table.runs[0].type_accuracy.fits) == (fits, fits)


def test_a_table_without_overall_figures_fits_and_says_nothing_of_fitting() -> None:
    checked = table_of("run,type,rollouts,exact_count,type_count\na,click,10,10,10\na,terminate,10,10,10\n")
    run = checked.runs[0]
    assert checked.fits
    assert (run.exact_accuracy.fits, run.exact_accuracy.published, run.published_f1) == (None, None, None)
    assert (run.exact_accuracy.value, run.rivals, checked.warnings) == (1, {}, [])


def test_a_percentage_that_no_count_makes_is_told() -> None:
    run = table_of("run,type,rollouts,exact_percent,type_percent\na,click,3,33.3,50.0\n").runs[0]
    assert run.warnings == ["No whole number of the 3 click rollouts makes the percentage printed for type."]
