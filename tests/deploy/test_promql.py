"""The check of expressions finds what it is there to find."""

import pytest

from tests.deploy.promql import Samples, faults, grouping, queries_in, selectors

EXPORTED: Samples = {
    "a_total": [{"spec": "x", "reason": "valid"}, {"spec": "x", "reason": "empty"}],
    "b_bucket": [{"le": "0.5"}],
    "c": [{}],
}


@pytest.mark.parametrize(
    "sound",
    [
        'sum by (spec) (rate(a_total{reason!="valid"}[5m]))',
        'sum by (namespace, job) (a_total{reason=~"val.*"}) / on (job) group_left c',
        'histogram_quantile(0.95, sum by (le) (rate(b_bucket{le="0.5"}[1h] offset 30m))) > 1e3',
        "time() - c > 1800 unless absent(a_total) or up == 0",
    ],
)
def test_a_sound_expression_has_no_faults(sound: str) -> None:
    assert faults(sound, EXPORTED) == []


@pytest.mark.parametrize(
    ("unsound", "fault"),
    [
        ("rate(a_count[5m])", "no metric a_count"),
        ("c / d", "no metric d"),
        ("sum by (spec) (c)", "nothing here has the label spec"),
        ("c * on (job) group_left (spec) up", "nothing here has the label spec"),
        ('a_total{kind="x"}', "a_total has no label kind"),
        ('a_total{reason="vaild"}', "no series of a_total has (('reason', '=', 'vaild'),)"),
        ('a_total{reason=~"val"}', "no series of a_total has (('reason', '=~', 'val'),)"),
    ],
)
def test_an_unsound_expression_is_told_its_fault(unsound: str, fault: str) -> None:
    assert fault in faults(unsound, EXPORTED)


def test_functions_operators_strings_and_durations_are_no_metrics() -> None:
    found = selectors(
        'label_replace(a{x="b or c"}, "y", "$1", "x", "d") and on (z) max_over_time(e[6h] offset 30m) > 1'
    )
    assert [selector.metric for selector in found] == ["a", "e"]


def test_labels_are_read_from_every_list() -> None:
    assert grouping("sum by (a, b) (x) / on (c) group_left (d) y") == {"a", "b", "c", "d"}


def test_a_documents_queries_go_on_where_lines_are_indented() -> None:
    assert queries_in("```promql\na\n  / b\nc\n```\n```console\n$ d\n```") == ["a\n  / b", "c"]
