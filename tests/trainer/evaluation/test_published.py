"""Published tables: read exactly, refused where they cannot be true."""

from fractions import Fraction
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.evaluation.support import SPEC
from trainer.evaluation.published import Hits, Percent, PublishedRun, TableError, read_table

HEADER = "run,type,rollouts,exact_percent,type_percent"
TABLE_3 = Path(__file__).parents[3] / "examples" / "table3.csv"


def read(*lines: str) -> list[PublishedRun]:
    return read_table(StringIO("\n".join(lines)), SPEC.action_space)


@given(st.integers(1, 5_000), st.data(), st.integers(0, 4))
def test_the_count_behind_a_rounded_percentage_is_within_its_bounds(
    rollouts: int, data: st.DataObject, decimals: int
) -> None:
    count = data.draw(st.integers(0, rollouts))
    percent = Percent.read(f"{float(round(Fraction(100 * count, rollouts), decimals)):.{decimals}f}")
    hits = Hits.of_percent(percent, rollouts)
    assert hits.whole
    assert hits.low <= count <= hits.high
    assert hits.low <= hits.likeliest <= hits.high
    assert percent.printing(Fraction(count, rollouts), Fraction(count, rollouts)) == "rounded"


@pytest.mark.parametrize(
    ("text", "rollouts", "expected"),
    [
        ("7.39", 690, (51, 51, 51)),  # 7.39 % of 690 is 50.99
        ("38.7", 690, (267, 267, 267)),  # 266.7 to 267.4
        ("10", 690, (69, 66, 72)),  # 9.5 % is 65.55, 10.5 % is 72.45
        ("0.00", 512, (0, 0, 0)),
        ("100", 512, (512, 510, 512)),  # 99.5 % is 509.4
        ("7.39 %", 690, (51, 51, 51)),
    ],
)
def test_a_percentage_leaves_these_counts(text: str, rollouts: int, expected: tuple[int, int, int]) -> None:
    hits = Hits.of_percent(Percent.read(text), rollouts)
    assert (hits.likeliest, hits.low, hits.high, hits.whole) == (*expected, True)


def test_a_percentage_that_no_count_makes_keeps_its_bounds() -> None:
    hits = Hits.of_percent(Percent.read("50.0"), 3)
    assert (hits.likeliest, hits.low, hits.high) == (Fraction(3, 2), Fraction(2997, 2000), Fraction(3003, 2000))
    assert not hits.whole


@pytest.mark.parametrize(
    ("share", "printing"),
    [("0.27715", "rounded"), ("0.27725", "rounded"), ("0.2772751", "cut"), ("0.2773", None), ("0.2771", None)],
)
def test_a_share_is_printed_rounded_or_cut_off(share: str, printing: str | None) -> None:
    assert Percent.read("27.72").printing(Fraction(share), Fraction(share)) == printing


def test_counts_and_percentages_are_told_apart_by_their_columns() -> None:
    (run,) = read("run,type,rollouts,exact_count,type_percent", "a,click,200,7,7")
    assert run.types["click"].hits["exact"].likeliest == 7
    assert run.types["click"].hits["type"].likeliest == 14


def test_what_was_published_overall_may_stand_in_one_row_or_in_all() -> None:
    runs = read(
        f"{HEADER},published_exact_percent,published_f1_percent",
        "a,click,10,10,20,15.0,3",
        "",
        "a,terminate,10,20,20,,3",
        " b , click , 10 , 10 , 20 ,,",
    )
    assert [(run.name, {name: percent.text for name, percent in run.overall.items()}) for run in runs] == [
        ("a", {"exact": "15.0", "f1": "3"}),
        ("b", {}),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,click,690,8.56,8.55", "row 2 (a, click): exact_percent '8.56' is above type_percent '8.55'"),
        ("b,terminate,10,40,60", "exact_percent '40' is under type_percent '60': an action without fields is exact"),
        ("a,click,690,-1,8", "exact_percent '-1' is not a plain percentage"),
        ("a,click,690,nan,8", "exact_percent 'nan' is not a plain percentage"),
        ("a,click,690,1e400,8", "exact_percent '1e400' is not a plain percentage"),
        ("a,click,690,٣,8", "exact_percent '٣' is not a plain percentage"),
        ("a,click,690,8,100.01", "type_percent '100.01' is above 100 %"),
        ("a,click,690,,8", "exact_percent '' is not a plain percentage"),
        ("a,click,0,0,0", "rollouts '0' leaves nothing to be a share of"),
        ("a,click,-5,0,0", "rollouts '-5' is not a whole number of rollouts"),
        ("a,click,1.5,0,0", "rollouts '1.5' is not a whole number of rollouts"),
        ("a,click,NaN,0,0", "rollouts 'NaN' is not a whole number of rollouts"),
        (f"a,click,{'9' * 13},0,0", "is not a whole number of rollouts"),
        ("a,terminate,690,8,8", "row 2 (a, terminate): type 'terminate' stands twice in this run"),
        ("a,hover,690,8,8", "type 'hover' is no action type of the spec, which has click, terminate, type_and_submit"),
        ("a,click,690,8", "row 2 has 4 cells, and the header 5"),
        ("a,click,690,8,8,8", "row 2 has 6 cells, and the header 5"),
        ('a,"click"x,690,8,8', "not CSV"),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_with_its_name(row: str, reason: str) -> None:
    with pytest.raises(TableError) as error:
        read(HEADER, "a,terminate,512,8,8", row)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("exact", "right", "reason"),
    [("691", "691", "exact_count '691' is above the 690 rollouts"), ("8", "7", "is above type_count '7'")],
)
def test_counts_that_cannot_be_true_are_refused(exact: str, right: str, reason: str) -> None:
    with pytest.raises(TableError, match=reason):
        read("run,type,rollouts,exact_count,type_count", f"a,click,690,{exact},{right}")


def test_published_figures_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(TableError, match="published_type_percent '3' differs from the run's '2' above it"):
        read(f"{HEADER},published_type_percent", "a,click,9,0,0,2", "a,terminate,9,0,0,3")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "it has no rows"),
        ([HEADER], "it has no rows"),
        (["run,type,rollouts,exact_percent", "a"], "one of the columns type_count and type_percent"),
        ([f"{HEADER},exact_count", "a"], "one of the columns exact_count and exact_percent"),
        (["type,rollouts,exact_percent,type_percent", "a"], "it lacks the column 'run'"),
        ([f"{HEADER},f1", "a"], "it has an unknown column 'f1'"),
        ([f"{HEADER},run", "a"], "it has twice the column 'run'"),
    ],
)
def test_a_table_without_the_columns_it_needs_is_refused(lines: list[str], reason: str) -> None:
    with pytest.raises(TableError, match=reason):
        read(*lines)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"\xff,\n", "not UTF-8"), (b"a" * 200_000, "not CSV"), (b'"', "not CSV")]
)
def test_bytes_that_are_no_table_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(TableError, match=reason):
        read_table(TextIOWrapper(BytesIO(content), encoding="utf-8"), SPEC.action_space)


def test_the_papers_tables_are_shipped_whole() -> None:
    with TABLE_3.open(encoding="utf-8", newline="") as file:
        runs = read_table(file, SPEC.action_space)
    assert len(runs) == 10
    assert {name: row.rollouts for run in runs for name, row in run.types.items()} == {
        "click": 690,
        "type_and_submit": 677,
        "terminate": 512,
    }
    assert all(set(run.overall) == {"exact", "type", "f1"} for run in runs)
    assert all(hits.whole for run in runs for row in run.types.values() for hits in row.hits.values())
