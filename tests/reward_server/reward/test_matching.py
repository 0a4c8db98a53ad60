"""Matches in meaning: what the reward credits is what the evaluation counts."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward.action import Action, read_label
from reward_server.reward.completion import Completion
from reward_server.reward.matching import field_similarities, matches_in_meaning
from reward_server.reward.score import prepare, score
from reward_server.reward.similarity import rouge_l, tokenize
from reward_server.reward.spec import RewardSpec, load_preset

SPEC = load_preset("shop-r1-no-rationale")
SEARCH = Action("type_and_submit", {"name": "search_input", "text": "red wool hat"})
HAT = Action("click", {"name": "search_results.red_wool_hat.view_product"})

texts = st.lists(st.sampled_from(["red", "Wool", "hat", "é", "!"]), max_size=9).map(" ".join)


def matches(action: Action, label: Action, spec: RewardSpec = SPEC) -> bool:
    return matches_in_meaning(action, label, field_similarities(action, label, spec.similarity), spec.similarity)


def searching(text: str, name: str = "search_input") -> Action:
    return Action("type_and_submit", {"name": name, "text": text})


@pytest.mark.parametrize(
    ("action", "label", "expected"),
    [
        (SEARCH, SEARCH, True),
        (searching("a red wool hat"), SEARCH, True),  # 2·3/(4+3) = 6/7
        (searching("red hat of wool xl"), SEARCH, False),  # 2·2/(5+3) = 1/2
        (searching("red wool hat in xl"), SEARCH, False),  # 2·3/(5+3) = 3/4 does not exceed 3/4
        (searching("red wool hat", "top.search_input"), SEARCH, False),
        (searching(""), SEARCH, False),
        (Action("type_and_submit", {"name": "search_input"}), SEARCH, False),
        (searching(""), searching(""), True),
        (Action("type_and_submit", {"name": "search_input"}), searching(""), False),
        (searching("東京"), searching("東京"), True),
        (searching("東京"), searching("大阪"), False),
        (HAT, HAT, True),
        # 2·5/(6+5) of the name would pass, but another name is another element
        (Action("click", {"name": "search_results.red_wool_hat.view_product_1"}), HAT, False),
        (Action("click", {}), HAT, False),
        (Action("terminate", {}), Action("terminate", {}), True),
        (Action("terminate", {}), HAT, False),
        (Action("scroll", {}), Action("terminate", {}), False),
    ],
)
def test_names_match_as_text_and_other_fields_by_meaning(action: Action, label: Action, expected: bool) -> None:
    assert matches(action, label) == expected


def test_the_threshold_is_the_specs() -> None:
    loose = SPEC.model_copy(update={"similarity": {"threshold": 0.75, "strict": False}})
    assert matches(searching("red wool hat in xl"), SEARCH, loose)


def test_the_tokenizer_is_the_specs() -> None:
    unicode = SPEC.model_copy(update={"similarity": {"tokenizer": "unicode"}})
    longer, label = searching("東京タワーの"), searching("東京タワー")  # 2·5/(6+5)
    assert (matches(longer, label), matches(longer, label, unicode)) == (False, True)


@given(texts, texts)
def test_a_text_matches_exactly_where_the_reward_credits_it_or_it_is_the_same(predicted: str, expected: str) -> None:
    label = {"type": "type_and_submit", "name": "search_input", "text": expected}
    target = prepare(read_label(label, SPEC.action_space), SPEC)
    card = score(Completion("because", searching(predicted)), target, None)
    credited = card.terms.value > 1  # 0.1 for the name, over 750 for a text that counts
    assert matches(searching(predicted), searching(expected)) == (credited or predicted == expected)


@given(texts, texts, texts, texts)
def test_an_exact_match_is_one_in_meaning(name: str, text: str, other_name: str, other_text: str) -> None:
    action, label = searching(text, name), searching(other_text, other_name)
    assert matches(action, label) or not action.matches(label)


def test_every_field_of_the_label_has_its_similarity_and_a_missing_one_has_none() -> None:
    found = field_similarities(Action("type_and_submit", {"text": "a red wool hat"}), SEARCH, SPEC.similarity)
    assert {name: Fraction(*similarity) for name, similarity in found.items()} == {"name": 0, "text": Fraction(6, 7)}
    assert found["text"] == rouge_l(tokenize("a red wool hat", "rouge-score"), tokenize("red wool hat", "rouge-score"))
