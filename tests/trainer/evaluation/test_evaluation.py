"""Every figure of seven rollouts, worked out by hand; see SHOPPERS in support.py."""

from typing import Any

import pytest

from reward_server.reward.spec import load_preset
from tests.trainer.evaluation.support import BLUE, QUICK, RED, SEARCH, SHOPPERS, SPEC, STOP, evaluated, rollout
from trainer.bootstrap import Settings
from trainer.evaluation.result import Evaluation

FIGURES = {
    "exact_accuracy": 2 / 7,
    "exact_accuracy_rouge_l": 3 / 7,
    "type_accuracy": 4 / 7,
    # F1: click 2·2/(3+3), terminate 2·1/(3+1), type_and_submit 2·1/(1+1)
    "type_f1_macro": (2 / 3 + 1 / 2 + 1) / 3,
    "type_f1_weighted": (3 * 2 / 3 + 3 * 1 / 2 + 1 * 1) / 7,
    "type_f1_macro_with_invalid": (2 / 3 + 1 / 2 + 1 + 0) / 4,
    "session_macro_exact_accuracy": (1 / 3 + 1 / 4) / 2,
    "session_macro_type_accuracy": (2 / 3 + 2 / 4) / 2,
    "valid": 6 / 7,
    "mean_reward": (1001 + 0.5 + 0.3 + 0.2 + 0.1 + 1000 * 6 / 7 + 0.5 + 0 + 1 + 0.8 + 0.5) / 7,
}


@pytest.fixture(scope="module")
def shoppers() -> Evaluation:
    return evaluated(SHOPPERS)


def test_the_overall_figures_are_those_worked_out_by_hand(shoppers: Evaluation) -> None:
    assert {name: getattr(shoppers, name) for name in FIGURES} == pytest.approx(FIGURES)
    assert (shoppers.rollouts, shoppers.sessions, shoppers.clustered_by) == (7, 2, "session")
    assert (shoppers.spec.name, shoppers.spec.digest) == ("shop-r1", SPEC.digest)
    assert dict(shoppers.reasons) == {"not_json": 1}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("click", (3, 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3)),
        ("terminate", (3, 1, 1 / 3, 1 / 3, 1 / 3, 1, 1 / 2)),
        ("type_and_submit", (1, 1, 0, 1, 1, 1, 1)),
    ],
)
def test_the_figures_per_label_type_are_those_worked_out_by_hand(
    name: str, expected: tuple[float, ...], shoppers: Evaluation
) -> None:
    found = shoppers.per_type[name]
    accuracies = (found.exact_accuracy, found.exact_accuracy_rouge_l, found.type_accuracy)
    assert (found.rollouts, found.predicted, *accuracies, found.precision, found.f1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # F1 of the type always predicted, from 7 predictions: click 2·3/(3+7), terminate the same, search 2·1/(1+7)
        ("always_click", (0, 3 / 7, 0.6 / 3, 3 * 0.6 / 7)),
        ("always_terminate", (3 / 7, 3 / 7, 0.6 / 3, 3 * 0.6 / 7)),
        ("always_type_and_submit", (0, 1 / 7, 0.25 / 3, 0.25 / 7)),
        # terminate is three of the seven labels
        ("most_frequent_action", (3 / 7, 3 / 7, 0.6 / 3, 3 * 0.6 / 7)),
        # right at bob's steps 2 and 4; it predicts click 3 times, the others once: F1 2/(3+3), 2/(3+1), 0
        ("copy_last_action", (2 / 7, 2 / 7, (1 / 3 + 1 / 2) / 3, (3 * 1 / 3 + 3 * 1 / 2) / 7)),
        # 7/3 predictions of each: F1 2·1/(3 + 7/3) twice, 2·(1/3)/(1 + 7/3)
        ("random", (3 / 3 / 7, 1 / 3, (0.375 + 0.375 + 0.2) / 3, (6 * 0.375 + 0.2) / 7)),
    ],
)
def test_the_baselines_score_what_was_worked_out_by_hand(
    name: str, expected: tuple[float, ...], shoppers: Evaluation
) -> None:
    found = shoppers.baselines[name]
    figures = (found.exact_accuracy, found.type_accuracy, found.type_f1_macro, found.type_f1_weighted)
    assert figures == pytest.approx(expected)
    assert found.reason is None


def test_the_baselines_are_those_and_no_others(shoppers: Evaluation) -> None:
    assert [*shoppers.baselines] == [
        "always_click",
        "always_terminate",
        "always_type_and_submit",
        "most_frequent_action",
        "copy_last_action",
        "random",
    ]
    assert shoppers.baselines["most_frequent_action"].action == STOP


def test_the_confusion_matrix_has_a_column_for_unknown_types_and_one_for_invalid_completions(
    shoppers: Evaluation,
) -> None:
    matrix = shoppers.confusion
    assert matrix.labels == ["click", "terminate", "type_and_submit"]
    assert matrix.predictions == ["click", "terminate", "type_and_submit", "unknown", "invalid"]
    assert matrix.counts == [[2, 0, 0, 0, 1], [1, 1, 0, 1, 0], [0, 0, 1, 0, 0]]


def test_the_terms_are_the_rewards_without_certainty(shoppers: Evaluation) -> None:
    click, everything = shoppers.terms.by_label_type["click"], shoppers.terms.all
    # format, type, attribute, value: RED exactly (0.5, 0.3, 0.2, 1000), nothing, and BLUE missed (0.5, 0.3, 0.2, 0)
    assert (click.format, click.type, click.attribute, click.value) == pytest.approx((1 / 3, 0.2, 0.4 / 3, 1000 / 3))
    search = 0.5 + 0.3 + 0.2 + 0.1 + 1000 * 6 / 7
    assert everything.reward == pytest.approx((1001 + search + 0.5 + 0 + 1 + 0.8 + 0.5) / 7)
    assert everything.score == pytest.approx((1 + search / 1001.1 + 0.5 / 0.8 + 0 + 1 / 1001 + 1 + 0.5 / 0.8) / 7)
    assert (shoppers.mean_reward, shoppers.mean_score) == pytest.approx((everything.reward, everything.score))


def test_mean_rewards_have_intervals_over_sessions(shoppers: Evaluation) -> None:
    search = 0.5 + 0.3 + 0.2 + 0.1 + 1000 * 6 / 7
    # A quarter of the resamples are ann twice, a quarter bob twice: both ends are beyond 2.5 %.
    ann, bob = (1001 + search + 0.5) / 3, (0 + 1 + 0.8 + 0.5) / 4
    assert shoppers.intervals["mean_reward"] == pytest.approx((bob, ann))


def test_the_similarities_of_right_typed_predictions_are_binned_with_the_threshold(shoppers: Evaluation) -> None:
    found = {(bins.type, bins.field): bins for bins in shoppers.similarities}
    filled = {place: {n: count for n, count in enumerate(bins.counts) if count} for place, bins in found.items()}
    # click names 1 and 2/3, the search's name 1 and its text 6/7 = 0.857
    assert filled == {
        ("click", "name"): {13: 1, 19: 1},
        ("type_and_submit", "name"): {19: 1},
        ("type_and_submit", "text"): {17: 1},
    }
    assert (found["type_and_submit", "text"].passing, found["type_and_submit", "text"].equal) == (1, 0)
    assert (found["click", "name"].passing, found["click", "name"].equal) == (1, 1)
    assert {(len(bins.counts), bins.threshold, bins.strict) for bins in found.values()} == {(20, 0.75, True)}


def test_mistakes_are_the_wrong_but_valid_predictions(shoppers: Evaluation) -> None:
    found = [(dict(mistake.label), dict(mistake.prediction), mistake.count) for mistake in shoppers.mistakes]
    hover = {"type": "hover"}
    similar = {**SEARCH, "text": "a red wool hat"}
    assert found == [(SEARCH, similar, 1), (STOP, RED, 1), (BLUE, RED, 1), (STOP, hover, 1)]


def test_the_commonest_mistake_stands_first_and_long_texts_are_cut() -> None:
    lines = [rollout(STOP, RED), *[rollout(STOP, {"type": "click", "name": "x" * 9_000})] * 2]
    first, second = evaluated(lines).mistakes
    assert (first.count, len(first.prediction["name"]), second.count) == (2, 200, 1)


def test_at_most_twenty_mistakes_are_shown() -> None:
    lines = [rollout(STOP, {"type": "click", "name": f"b{number}"}) for number in range(30)]
    assert len(evaluated(lines).mistakes) == 20


def test_two_sessions_have_the_three_resamples_that_there_are(shoppers: Evaluation) -> None:
    # ann twice 2/6, bob twice 2/8, or both 2/7
    assert shoppers.intervals["exact_accuracy"] == pytest.approx((1 / 4, 1 / 3))
    # 6/6, 6/8 and 6/7
    assert shoppers.intervals["valid"] == pytest.approx((3 / 4, 1))


def test_a_resample_without_a_label_type_is_left_out_of_that_types_intervals(shoppers: Evaluation) -> None:
    search = shoppers.per_type["type_and_submit"]
    assert search.intervals["type_accuracy"] == (1, 1)
    # a quarter of the resamples are bob twice, give or take: 25 of 100 with a standard deviation of 4.3
    assert 8 <= search.resamples_without <= 42
    assert any("hold no type_and_submit label" in warning for warning in shoppers.warnings)
    assert shoppers.per_type["terminate"].resamples_without == 0


def test_means_over_types_go_over_the_types_that_a_resample_holds() -> None:
    found = evaluated([rollout(RED, RED, session="a"), rollout(STOP, STOP, session="b")])
    assert found.intervals["type_f1_macro"] == found.intervals["type_f1_weighted"] == (1, 1)


def test_one_session_has_figures_but_no_intervals_and_says_why() -> None:
    found = evaluated(SHOPPERS[:3])
    assert found.exact_accuracy == pytest.approx(1 / 3)
    assert set(found.intervals.values()) == {None}
    assert {bound for baseline in found.baselines.values() for bound in baseline.intervals.values()} == {None}
    assert found.bootstrap.reason == "an interval needs two sessions or more, and there is one"
    assert "There are no intervals: an interval needs two sessions or more, and there is one." in found.warnings


def test_a_precision_of_nothing_is_null() -> None:
    found = evaluated([rollout(STOP, RED), rollout(RED, RED)])
    assert (found.per_type["terminate"].precision, found.per_type["terminate"].f1) == (None, 0)
    assert found.per_type["terminate"].intervals["precision"] is None


def test_rollouts_without_a_session_are_clustered_by_group_with_a_warning() -> None:
    lines = [rollout(STOP, STOP, group="a"), rollout(STOP, RED, group="a"), rollout(STOP, STOP, group="b")]
    found = evaluated(lines)
    assert (found.clustered_by, found.sessions, found.bootstrap.clusters) == ("group", None, 2)
    assert found.session_macro_exact_accuracy is found.intervals["session_macro_exact_accuracy"] is None
    assert "take groups for independent" in found.warnings[-1]
    assert "1 rollout names no group either" in evaluated([*lines, rollout(STOP, STOP)]).warnings[-1]


def test_rollouts_without_session_and_group_are_each_their_own_cluster_with_a_warning() -> None:
    found = evaluated([rollout(STOP, STOP), rollout(STOP, RED)])
    assert (found.clustered_by, found.bootstrap.clusters) == ("rollout", 2)
    assert "take rollouts for independent" in found.warnings[-1]


def test_a_run_without_history_says_why_copying_has_no_figures() -> None:
    lines = [rollout(STOP, STOP, session="a"), rollout(STOP, STOP, session="b")]
    found = evaluated(lines).baselines["copy_last_action"]
    assert found.exact_accuracy is found.type_f1_macro is found.intervals["exact_accuracy"] is None
    assert "no line has a last_action" in (found.reason or "")


def test_further_samples_of_a_step_are_told() -> None:
    twice = [SHOPPERS[0], *SHOPPERS]
    found = evaluated(twice)
    assert found.repeated_steps == 1
    assert any(warning.startswith("1 rollout is of a step") for warning in found.warnings)


def test_types_of_the_spec_that_are_no_label_are_no_class() -> None:
    opera = load_preset("opera")
    found = evaluated([rollout(STOP, STOP), rollout(STOP, {"type": "scroll"})], spec=opera)
    assert found.type_f1.classes == ["terminate"]
    assert found.confusion.predictions == ["click", "input", "scroll", "terminate", "unknown", "invalid"]
    assert found.confusion.counts == [[0, 0, 1, 1, 0, 0]]
    assert found.type_f1_macro == found.type_f1_macro_with_invalid == pytest.approx(2 / 3)
    assert found.baselines["random"].type_accuracy == 1 / 4
    assert not found.type_f1.invalid_counts


def test_the_certainty_of_a_spec_changes_no_figure_but_which_spec_it_was() -> None:
    names = ("shop-r1", "shop-r1-no-rationale")
    with_certainty, without = (evaluated(SHOPPERS, spec=load_preset(name)) for name in names)
    assert with_certainty.spec.digest == SPEC.digest != without.spec.digest
    assert with_certainty.model_dump(exclude={"spec"}) == without.model_dump(exclude={"spec"})


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_intervals() -> None:
    lines = [rollout(STOP, STOP if n % 3 else RED, session=f"s{n**2 // 9}") for n in range(40)]
    first, again = (evaluated(lines, Settings(resamples=200, seed=7)).model_dump_json() for _ in range(2))
    assert first == again
    assert len({str(evaluated(lines, Settings(resamples=200, seed=seed)).intervals) for seed in range(5)}) == 5


def test_json_reads_back_as_the_same_evaluation(shoppers: Evaluation) -> None:
    text = shoppers.model_dump_json()
    assert "NaN" not in text
    assert Evaluation.model_validate_json(text).model_dump() == shoppers.model_dump()


def test_what_a_model_does_not_clearly_beat_is_told(shoppers: Evaluation) -> None:
    beaten = {(rival.figure, rival.baseline): rival.verdict for rival in shoppers.rivals}
    assert beaten["exact_accuracy", "always_terminate"] == "beats"
    assert beaten["exact_accuracy", "copy_last_action"] == "equals"
    assert "scores 42.9 % exact accuracy, the model 28.6 %: the model does not beat it." in shoppers.warnings[0]


def test_a_lead_within_chance_is_told_with_its_interval() -> None:
    lines: list[dict[str, Any]] = [rollout(STOP, STOP, session=f"s{n}") for n in range(10)]
    lines += [rollout(RED, RED, session="t"), *(rollout(RED, BLUE, session=f"u{n}") for n in range(9))]
    found = evaluated(lines, QUICK)
    (rival,) = (r for r in found.rivals if (r.figure, r.baseline) == ("exact_accuracy", "always_terminate"))
    # the model leads by one rollout of 20, and a resample that lacks it has no lead
    assert (rival.verdict, rival.lead and rival.lead[0]) == ("within_chance", 0)
    assert "the lead may be chance (95 % interval 0.0 to " in found.warnings[0]


def test_sessions_are_resampled_whole() -> None:
    one_right = [rollout(STOP, STOP if n < 5 else RED, session=f"s{n}") for n in range(10) for _ in range(20)]
    alone = [{**line, "session": f"s{n}"} for n, line in enumerate(one_right)]
    clustered, independent = (evaluated(lines).intervals["exact_accuracy"] for lines in (one_right, alone))
    assert clustered is not None
    assert independent is not None
    # √20 times as wide
    assert clustered[1] - clustered[0] > 3 * (independent[1] - independent[0])
