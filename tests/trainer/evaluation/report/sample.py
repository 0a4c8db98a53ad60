"""Results made by hand: the shares of the paper's 3B model on its test set, and odd ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainer.evaluation.result import (
    COMPARED,
    HEADLINES,
    REWARDS,
    BadLineRef,
    Baseline,
    Bootstrap,
    Comparison,
    Confusion,
    Difference,
    Evaluation,
    Interval,
    Mistake,
    PerType,
    Rival,
    Runs,
    Similarities,
    SpecRef,
    TermMeans,
    Terms,
    TypeF1,
)
from trainer.evaluation.sentences import rival_sentences

PAPER = {
    "click": {"click": 71, "terminate": 452, "type_and_submit": 139, "unknown": 3, "invalid": 25},
    "terminate": {"click": 31, "terminate": 419, "type_and_submit": 52, "unknown": 0, "invalid": 10},
    "type_and_submit": {"click": 98, "terminate": 347, "type_and_submit": 194, "unknown": 6, "invalid": 32},
}
"""Label -> prediction -> count: type accuracies 10.29, 81.84 and 28.66 % of 690, 512 and 677 labels."""

EXACT = {"click": 51, "terminate": 419, "type_and_submit": 51}
"""Exact accuracies 7.39, 81.84 and 7.53 %."""

FIGURES = (
    *COMPARED,
    "type_f1_macro_with_invalid",
    "session_macro_exact_accuracy",
    "session_macro_type_accuracy",
    "valid",
)
REWARD_INTERVALS: Mapping[str, Interval] = {"mean_reward": (52.1, 61.38), "mean_score": (0.061, 0.088)}
PER_TYPE = ("exact_accuracy", "exact_accuracy_rouge_l", "type_accuracy", "precision", "f1")

Counts = Mapping[str, Mapping[str, int]]


def around(share: float | None, half: float = 0.02) -> Interval | None:
    return None if share is None else (max(0.0, share - half), min(1.0, share + half))


def an_evaluation(
    counts: Counts = PAPER, exact: Mapping[str, int] = EXACT, intervals: bool = True, **changes: Any
) -> Evaluation:
    """A run with these counts; whatever does not follow from them is made up."""
    labels = {name: sum(row.values()) for name, row in counts.items()}
    total = sum(labels.values())
    right = sum(row[name] for name, row in counts.items()) / total
    types = _types(counts, exact, intervals)
    macro = sum(each.f1 for each in types.values()) / len(types)
    figures: dict[str, float | None] = {
        "exact_accuracy": sum(exact.values()) / total,
        "exact_accuracy_rouge_l": sum(exact.values()) / total,
        "type_accuracy": right,
        "type_f1_macro": macro,
        "type_f1_weighted": sum(each.f1 * each.rollouts for each in types.values()) / total,
        "type_f1_macro_with_invalid": macro * len(types) / (len(types) + 1),
        "session_macro_exact_accuracy": 0.2913,
        "session_macro_type_accuracy": 0.3752,
        "valid": 1 - sum(row["invalid"] for row in counts.values()) / total,
    }
    rewards = {name: bound if intervals else None for name, bound in REWARD_INTERVALS.items()}
    reason = None if intervals else "an interval needs two sessions or more, and there is one"
    baselines = _baselines(labels, figures, intervals)
    rivals = _rivals(figures, baselines)
    invalid = sum(row["invalid"] for row in counts.values())
    result: dict[str, Any] = {
        "file": "runs/shop-r1-3b/test.jsonl",
        "spec": SpecRef(name="shop-r1", digest="sha256:9d1f4c50b2a7e6c8" + "0" * 48),
        "rollouts": total,
        "sessions": 512 if intervals else 1,
        "clustered_by": "session",
        **figures,
        "mean_reward": 56.741,
        "mean_score": 0.074,
        "intervals": {name: around(value) if intervals else None for name, value in figures.items()} | rewards,
        "type_f1": TypeF1(classes=list(counts), invalid_counts=invalid > 0),
        "per_type": types,
        "baselines": baselines,
        "rivals": rivals,
        "confusion": Confusion(
            labels=list(counts),
            predictions=list(next(iter(counts.values()))),
            counts=[list(row.values()) for row in counts.values()],
        ),
        "reasons": {"extra_text": invalid - invalid // 3, "not_json": invalid // 3} if invalid else {},
        "terms": _terms(labels),
        "similarities": SIMILARITIES,
        "mistakes": MISTAKES,
        "bootstrap": Bootstrap(
            resamples=2000, seed=0, confidence=0.95, unit="session", clusters=512 if intervals else 1, reason=reason
        ),
        "repeated_steps": 0,
        "bad_lines": 2,
        "first_bad_lines": [
            BadLineRef(line=17, pointer="/label/type", reason="unknown action type 'hover'"),
            BadLineRef(line=904, pointer="", reason="not JSON: unexpected end of data"),
        ],
        "warnings": [*rival_sentences(rivals, 0.95), "2 lines could not be scored, and no figure has them in it."],
    }
    return Evaluation.model_validate({**result, **changes})


def many_types(number: int, name: str = "action_{:02}") -> Counts:
    """A confusion matrix of so many types, in which each is mostly predicted right and else as the next."""
    names = [name.format(index) for index in range(number)]
    return {
        label: {
            **{
                other: 40 + 3 * at if other == label else 7 if other == names[(at + 1) % number] else 0
                for other in names
            },
            "unknown": 1,
            "invalid": 2,
        }
        for at, label in enumerate(names)
    }


def evaluation_of(counts: Counts, **changes: Any) -> Evaluation:
    """A run whose right predictions are all exact."""
    return an_evaluation(counts, {name: row[name] for name, row in counts.items()}, **changes)


def some_runs(files: Sequence[str] = ("runs/sft/test.jsonl", "runs/grpo/test.jsonl", "runs/binary/test.jsonl")) -> Runs:
    """Runs against the first of them: one better, one that may be."""
    leads = [(0.1096, (0.081, 0.1391), 0.001), (-0.0021, (-0.0213, 0.0174), 0.8296)]
    return Runs(
        runs=[an_evaluation(file=file) for file in files],
        comparisons=[_comparison(file, files[0], *leads[index % 2]) for index, file in enumerate(files[1:])],
    )


def _comparison(file: str, reference: str, lead: float, interval: Interval, p_value: float) -> Comparison:
    differences = {}
    for index, figure in enumerate((*COMPARED, *REWARDS)):
        moved = (interval[0] + index / 100, interval[1] + index / 100)
        differences[figure] = Difference(difference=lead + index / 100, interval=moved, p_value=p_value)
    return Comparison(file=file, reference=reference, differences=differences)


def _types(counts: Counts, exact: Mapping[str, int], intervals: bool) -> dict[str, PerType]:
    types = {}
    for name, row in counts.items():
        labels, predicted = sum(row.values()), sum(other[name] for other in counts.values())
        figures: dict[str, float | None] = {
            "exact_accuracy": exact[name] / labels,
            "exact_accuracy_rouge_l": exact[name] / labels,
            "type_accuracy": row[name] / labels,
            "precision": row[name] / predicted if predicted else None,
            "f1": 2 * row[name] / (labels + predicted),
        }
        types[name] = PerType(
            rollouts=labels,
            predicted=predicted,
            **figures,
            intervals={figure: around(value, 0.03) if intervals else None for figure, value in figures.items()},
            resamples_without=0,
        )
    return types


def _baselines(labels: Mapping[str, int], model: Mapping[str, float | None], intervals: bool) -> dict[str, Baseline]:
    total, kinds = sum(labels.values()), len(labels)
    found = {
        f"always_{name}": _baseline(
            f"always predicts {name}" + ("" if name == "terminate" else ", without its fields"),
            {"type": name},
            (count / total if name == "terminate" else 0.0, count / total),
            (2 * count / (total + count) / kinds, 2 * count / (total + count) * count / total),
            model,
            intervals,
        )
        for name, count in labels.items()
    }
    copied = (0.0213, 0.3011)
    found["copy_last_action"] = _baseline(
        "predicts the action before, once more", None, copied, copied, model, intervals
    )
    found["random"] = _baseline(
        "one of the spec's action types at random", None, (0.0908, 1 / kinds), (0.331, 0.334), model, intervals
    )
    return found


def _baseline(
    description: str,
    action: Mapping[str, str] | None,
    accuracies: tuple[float, float],
    f1: tuple[float, float],
    model: Mapping[str, float | None],
    intervals: bool,
) -> Baseline:
    figures = dict(zip(HEADLINES, (*accuracies, *f1), strict=True))
    leads = {name: (model[name] or 0.0) - value for name, value in figures.items()}
    return Baseline(
        description=description,
        action=action,
        **figures,
        intervals={name: around(value) if intervals else None for name, value in figures.items()},
        leads={name: (lead - 0.024, lead + 0.026) if intervals else None for name, lead in leads.items()},
        reason=None,
    )


def _rivals(model: Mapping[str, float | None], baselines: Mapping[str, Baseline]) -> list[Rival]:
    rivals = []
    for figure in HEADLINES:
        ours = model[figure] or 0.0
        for name, baseline in sorted(baselines.items(), key=lambda item: -getattr(item[1], figure)):
            score, lead = getattr(baseline, figure), baseline.leads[figure]
            if score >= ours or (lead is not None and lead[0] <= 0):
                verdict = "beats" if score > ours else "equals" if score == ours else "within_chance"
                rivals.append(Rival(baseline=name, figure=figure, score=score, model=ours, lead=lead, verdict=verdict))
    return rivals


def _terms(labels: Mapping[str, int]) -> Terms:
    """Terms as under the preset shop-r1, whose value term goes up to 1000."""
    values = [(0.021, 74.213), (0.0, 0.0), (0.057, 80.122)]
    by_type = {
        name: _means(count, 0.4821, 0.0309 + 0.2 * (index % 3 == 1), *values[index % 3])
        for index, (name, count) in enumerate(labels.items())
    }
    return Terms(by_label_type=by_type, all=_means(sum(labels.values()), 0.4822, 0.1093, 0.0283, 56.121))


def _means(rollouts: int, form: float, kind: float, attribute: float, value: float) -> TermMeans:
    return TermMeans(
        rollouts=rollouts,
        format=form,
        type=kind,
        attribute=attribute,
        value=value,
        reward=form + kind + attribute + value,
        score=0.0741,
    )


def similarities_of(kind: str, field: str, counts: Sequence[int], passing: int, equal: int) -> Similarities:
    return Similarities(
        type=kind, field=field, threshold=0.75, strict=True, counts=counts, passing=passing, equal=equal
    )


SIMILARITIES = [
    similarities_of("click", "name", [6, 0, 0, 1, 0, 2, 1, 0, 3, 0, 4, 0, 0, 2, 0, 1, 0, 0, 0, 51], 51, 51),
    similarities_of(
        "type_and_submit", "name", [2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 182], 182, 182
    ),
    similarities_of(
        "type_and_submit", "text", [58, 0, 0, 4, 0, 13, 9, 0, 16, 0, 21, 0, 0, 12, 0, 0, 3, 2, 2, 54], 61, 51
    ),
]

MISTAKES = [
    Mistake(
        label={"type": "click", "name": "add_to_cart.buy_now"}, prediction={"type": "terminate"}, count=213, at_most=213
    ),
    Mistake(
        label={"type": "type_and_submit", "name": "search_input", "text": "red wool hat"},
        prediction={"type": "type_and_submit", "name": "search_input", "text": "wool hats for winter"},
        count=18,
        at_most=21,
    ),
    Mistake(
        label={"type": "click", "name": "refinements.customer_reviews.4_stars_and_up"},
        prediction={"type": "click", "name": "search_results.red_wool_hat.view_product"},
        count=9,
        at_most=9,
    ),
]
