"""Score cards, every expected number worked out from Table 1 by hand."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward.action import Action, read_label
from reward_server.reward.completion import Completion, Reason
from reward_server.reward.score import ScoreCard, Terms, prepare, score
from reward_server.reward.spec import RewardSpec, load_preset, preset_names

BUY = {"type": "click", "name": "add_to_cart.buy_now"}
SEARCH = {"type": "type_and_submit", "name": "search_input", "text": "wireless gaming mouse"}
STOP = {"type": "terminate"}

NO_RATIONALE = load_preset("shop-r1-no-rationale")


def card(
    action: dict[str, str], label: dict[str, str], spec: RewardSpec = NO_RATIONALE, certainty: float | None = None
) -> ScoreCard:
    fields = {name: text for name, text in action.items() if name != "type"}
    target = prepare(read_label(label, spec.action_space), spec)
    return score(Completion("because", Action(action["type"], fields)), target, certainty)


@pytest.mark.parametrize(
    ("action", "label", "terms"),
    [
        (STOP, STOP, Terms(0.5, 0, 0.3, 0, 0)),
        (BUY, BUY, Terms(0.5, 0, 0.3, 0.2, 1000)),
        (SEARCH, SEARCH, Terms(0.5, 0, 0.3, 0.1 + 0.1, 0.1 + 1000)),
        (STOP, BUY, Terms(0.5, 0, 0, 0, 0)),
        (BUY, SEARCH, Terms(0.5, 0, 0, 0, 0)),
        # 2·4/(4+5) = 8/9
        ({**BUY, "name": "add_to_cart.buy"}, BUY, Terms(0.5, 0, 0.3, 0.2, 1000 * 8 / 9)),
        # 2·3/(3+5) = 3/4: not over the threshold
        ({**BUY, "name": "add_to_cart"}, BUY, Terms(0.5, 0, 0.3, 0.2, 0)),
        ({**BUY, "name": ""}, BUY, Terms(0.5, 0, 0.3, 0, 0)),
        ({"type": "click"}, BUY, Terms(0.5, 0, 0.3, 0, 0)),
        # 2·3/(4+3) = 6/7 of the text
        ({**SEARCH, "text": "wireless gaming mouse rgb"}, SEARCH, Terms(0.5, 0, 0.3, 0.2, 0.1 + 1000 * 6 / 7)),
        ({**SEARCH, "text": "keyboard"}, SEARCH, Terms(0.5, 0, 0.3, 0.2, 0.1)),
        # 2·2/(3+2) = 4/5 of the name
        ({**SEARCH, "name": "top.search_input", "text": ""}, SEARCH, Terms(0.5, 0, 0.3, 0.1, 0.1 * 4 / 5)),
        ({**SEARCH, "name": "other"}, SEARCH, Terms(0.5, 0, 0.3, 0.2, 1000)),
        ({"type": "scroll"}, STOP, Terms(0.5, 0, 0, 0, 0)),
    ],
)
def test_every_row_of_table_1(action: dict[str, str], label: dict[str, str], terms: Terms) -> None:
    result = card(action, label)
    assert result.terms == pytest.approx(terms, abs=1e-12)
    assert result.reward == pytest.approx(sum(terms), abs=1e-9)
    assert result.type_match == (action["type"] == label["type"])
    assert result.exact_match == (action == label)


def test_a_prediction_seen_before_under_the_same_label_earns_the_same_again() -> None:
    target = prepare(read_label(BUY, NO_RATIONALE.action_space), NO_RATIONALE)
    completion = Completion("because", Action("click", {"name": "add_to_cart.buy"}))
    first, second = (score(completion, target, None) for _ in range(2))
    assert first == second
    assert second.terms.value == pytest.approx(1000 * 8 / 9)


@pytest.mark.parametrize("length", [2, 200])
def test_a_label_remembers_few_predictions_and_short_ones_and_scores_all_of_them(length: int) -> None:
    target = prepare(read_label({"type": "click", "name": "a b c d"}, NO_RATIONALE.action_space), NO_RATIONALE)
    for number in [*range(100), *range(100)]:
        # Of 5 tokens, 4 are the label's: F = 2 · 4 / (4 + 5).
        name = f"a b c d {'x' * length}{number}"
        found = score(Completion("", Action("click", {"name": name})), target, None)
        assert found.terms.value == pytest.approx(1000 * 8 / 9)
    assert len(target.fields[0].seen) == (16 if length == 2 else 0)


def test_an_invalid_completion_earns_nothing_in_any_term() -> None:
    target = prepare(read_label(STOP, NO_RATIONALE.action_space), NO_RATIONALE)
    for reason in Reason:
        assert score(reason, target, None) == ScoreCard(0, 0, Terms(), None, False, False, reason)


def test_certainty_adds_alpha_times_itself_to_the_reward_but_not_to_the_score() -> None:
    result = card(BUY, BUY, load_preset("shop-r1"), certainty=9.1)
    assert result.terms.certainty == pytest.approx(0.0455)
    assert result.reward == pytest.approx(1001.0455)
    assert result.score == 1.0


def test_a_valid_completion_without_its_certainty_is_never_given_a_made_up_reward() -> None:
    with pytest.raises(ValueError, match="needs the certainty"):
        card(BUY, BUY, load_preset("shop-r1"))


@pytest.mark.parametrize(
    ("action", "label", "expected"),
    [
        (STOP, STOP, 1.0),
        (BUY, BUY, 1.0),
        (SEARCH, SEARCH, 1.0),
        (STOP, BUY, 0.5 / 1001),
        ({**BUY, "name": "x"}, BUY, 1.0 / 1001),
        (BUY, STOP, 0.5 / 0.8),
    ],
)
def test_the_score_is_the_share_of_the_best_the_label_allows(
    action: dict[str, str], label: dict[str, str], expected: float
) -> None:
    assert card(action, label).score == pytest.approx(expected, abs=1e-12)


def test_equal_japanese_texts_match_exactly_yet_earn_no_value_under_the_paper_s_tokenizer() -> None:
    label = {**SEARCH, "text": "ワイヤレスイヤホン"}
    result = card(label, label)
    assert result.exact_match
    assert result.terms == pytest.approx(Terms(0.5, 0, 0.3, 0.2, 0.1))
    assert result.score == 1.0, "it is all this label can earn"


def test_the_same_texts_earn_their_value_under_the_unicode_tokenizer() -> None:
    rule = NO_RATIONALE.similarity.model_copy(update={"tokenizer": "unicode"})
    spec = NO_RATIONALE.model_copy(update={"name": "unicode", "similarity": rule})
    label = {**SEARCH, "text": "ワイヤレスイヤホン"}
    assert card(label, label, spec).terms.value == pytest.approx(1000.1)


@pytest.mark.parametrize(("action", "reward"), [(BUY, 1.0), ({**BUY, "name": "Add_to_cart.buy_now"}, 0.0), (STOP, 0.0)])
def test_the_binary_baseline_pays_for_an_exact_match_alone(action: dict[str, str], reward: float) -> None:
    assert card(action, BUY, load_preset("binary")).reward == reward


@pytest.mark.parametrize(
    ("action", "label", "value"),
    [
        ({"type": "input", "name": "q", "text": "tea"}, {"type": "input", "name": "q", "text": "tea"}, 2000),
        (BUY, BUY, 1000),
        (BUY, {**BUY, "click_type": "product_option"}, 10),
        (BUY, {**BUY, "click_type": "review"}, 1),
        (BUY, {**BUY, "click_type": "purchase"}, 1000),
        (STOP, STOP, 1),
        (BUY, {**BUY, "name": "elsewhere"}, -1),
        (BUY, STOP, -1),
        (STOP, BUY, 0),
    ],
)
def test_customer_r1_weighs_exact_matches_by_what_the_label_says_of_the_click(
    action: dict[str, str], label: dict[str, str], value: float
) -> None:
    result = card(action, label, load_preset("customer-r1"))
    assert result.terms.value == value
    assert result.reward == 0.5 + value
    assert 0 <= result.score <= 1


@pytest.mark.parametrize(
    "label",
    [
        {"action": BUY, "click_type": "review"},
        {"action": {**BUY, "click_type": "review"}},
        '{"type": "click", "name": "add_to_cart.buy_now", "click_type": "review"}',
    ],
)
def test_the_click_s_subtype_counts_in_every_form_of_a_label(label: object) -> None:
    spec = load_preset("customer-r1")
    target = prepare(read_label(label, spec.action_space), spec)
    assert score(Completion("", Action("click", {"name": BUY["name"]})), target, None).terms.value == 1


@pytest.mark.parametrize("click_type", [None, 3, True, ["review"]])
def test_a_subtype_that_is_no_string_has_no_weight_of_its_own(click_type: object) -> None:
    spec = load_preset("customer-r1")
    label = read_label({**BUY, "click_type": click_type}, spec.action_space)
    assert prepare(label, spec).exact_weight == 1000


def test_a_spec_that_pays_nothing_for_a_label_gives_a_score_of_zero() -> None:
    spec = RewardSpec.model_validate({"name": "nothing", "format": {"weight": 0}, "actions": {"terminate": {}}})
    assert card(STOP, STOP, spec).score == 0


names = st.sampled_from(["", "a", "a.b.c", "a.b.c.d_e", "A b C", "漢字", "search_input"])
actions = st.one_of(
    st.just({"type": "terminate"}),
    st.builds(lambda name: {"type": "click", "name": name}, names),
    st.builds(lambda name, text: {"type": "type_and_submit", "name": name, "text": text}, names, names),
)


@given(actions, actions, st.sampled_from([name for name in preset_names() if name.startswith("shop-r1")]))
def test_no_value_beats_the_label_s_own_and_the_terms_add_up(
    action: dict[str, str], label: dict[str, str], name: str
) -> None:
    spec = load_preset(name)
    result, best = card(action, label, spec, 1.0), card(label, label, spec, 1.0)
    assert result.reward == fsum(result.terms)
    assert 0 <= result.score <= 1
    assert result.terms.value <= best.terms.value
    assert best.exact_match
