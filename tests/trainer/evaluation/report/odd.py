"""Results that a report must survive."""

from collections.abc import Callable
from typing import Any

from tests.trainer.evaluation.report.sample import an_evaluation, evaluation_of, many_types, some_runs
from trainer.evaluation.result import HEADLINES, BadLineRef, Evaluation, Mistake, Runs

MARKUP = "<script>alert(1)</script> | `x` ``y`` **b** [a](http://evil) <img src=x> &amp; $x$ \\ "

HOSTILE = f"{MARKUP}\n\x1b[31m\u202e\ud800 end_"
"""Markup, Markdown, a new line, a terminal escape, a bidirectional override and half a surrogate pair."""

SHOWN = f"{MARKUP}\\n\\x1b[31m\\u202e\\ud800 end_"
"""The same with all that is not printable spelt out."""

HOSTILE_TYPE = "a|b<script>`$x$`**"
"""As hostile as a spec lets the name of a type be."""


def one_type() -> Evaluation:
    return evaluation_of({"terminate": {"terminate": 5, "unknown": 0, "invalid": 0}}, mistakes=[], similarities=[])


def nothing_valid() -> Evaluation:
    counts = {
        "click": {"click": 0, "terminate": 0, "unknown": 0, "invalid": 7},
        "terminate": {"click": 0, "terminate": 0, "unknown": 0, "invalid": 3},
    }
    return evaluation_of(counts, mistakes=[], similarities=[])


def no_intervals() -> Evaluation:
    return an_evaluation(
        intervals=False,
        sessions=None,
        session_macro_exact_accuracy=None,
        session_macro_type_accuracy=None,
        first_bad_lines=[],
        bad_lines=0,
        warnings=[],
    )


def no_baseline_figures() -> Evaluation:
    sample = an_evaluation()
    nothing: dict[str, Any] = dict.fromkeys(HEADLINES)
    reason = "no line has a last_action"
    gone = {
        name: baseline.model_copy(update={**nothing, "intervals": nothing, "leads": nothing, "reason": reason})
        for name, baseline in sample.baselines.items()
    }
    return sample.model_copy(update={"baselines": gone, "rivals": [], "warnings": []})


def no_baselines() -> Evaluation:
    return an_evaluation(baselines={}, rivals=[], warnings=[])


def thirty_types() -> Evaluation:
    return evaluation_of(many_types(30))


def long_names() -> Evaluation:
    return evaluation_of(many_types(4, "type_" * 12 + "{:02}"))


def names_of_the_world() -> Evaluation:
    return evaluation_of(many_types(2, "検索する{}")).model_copy(update={"file": "تجربة/قبعة.jsonl"})


def not_a_number() -> Evaluation:
    nan = float("nan")
    sample = an_evaluation()
    means = sample.terms.all.model_copy(update={"value": nan, "reward": float("inf")})
    return sample.model_copy(
        update={
            "intervals": dict.fromkeys(sample.intervals, (nan, nan)),
            "terms": sample.terms.model_copy(update={"all": means}),
        }
    )


def punishing() -> Evaluation:
    """A spec can take rewards away for wrong predictions."""
    sample = an_evaluation()
    means = sample.terms.all.model_copy(update={"value": -3.25, "reward": -2.75})
    return sample.model_copy(update={"terms": sample.terms.model_copy(update={"all": means})})


def hostile() -> Evaluation:
    label = {"type": "click", "name": HOSTILE}
    return evaluation_of(
        many_types(2, HOSTILE_TYPE + "{}"),
        mistakes=[Mistake(label=label, prediction={"type": "click", "name": "` "}, count=3, at_most=3)],
    ).model_copy(
        update={
            "file": HOSTILE,
            "warnings": [HOSTILE],
            "first_bad_lines": [BadLineRef.model_construct(line=1, pointer=f"/{HOSTILE}", reason=HOSTILE)],
        }
    )


def runs_of_one_session() -> Runs:
    runs = some_runs(("a.jsonl", "b.jsonl"))
    without = {
        name: found.model_copy(update={"interval": None, "p_value": None})
        for name, found in runs.comparisons[0].differences.items()
    }
    alone = [comparison.model_copy(update={"differences": without}) for comparison in runs.comparisons]
    return Runs(runs=[an_evaluation(intervals=False, file=run.file) for run in runs.runs], comparisons=alone)


ODD: list[Callable[[], Evaluation | Runs]] = [
    one_type,
    nothing_valid,
    no_intervals,
    no_baseline_figures,
    no_baselines,
    thirty_types,
    long_names,
    names_of_the_world,
    not_a_number,
    punishing,
    hostile,
    runs_of_one_session,
]
