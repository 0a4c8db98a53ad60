"""The explanation of a reward must add up to that reward, term by term."""

import json
from collections import defaultdict
from math import fsum
from pathlib import Path

import pytest

from reward_server.reward.action import read_label
from reward_server.reward.completion import Completion, InvalidError, parse, read
from reward_server.reward.explain import Line, explain
from reward_server.reward.score import Terms, prepare, score
from reward_server.reward.spec import RewardSpec, load_preset, preset_names

SEARCH = '{"type": "type_and_submit", "name": "search_input", "text": "wireless gaming mouse"}'


def explained(completion: str, label: object, spec: RewardSpec, certainty: float | None) -> list[Line]:
    outcome: Completion | InvalidError
    try:
        outcome = read(completion, spec)
    except InvalidError as error:
        outcome = error
    return explain(outcome, prepare(read_label(label, spec.action_space), spec), certainty, spec)


def why(completion_action: str, label: str = SEARCH, preset: str = "shop-r1", certainty: float | None = None) -> str:
    completion = f'{{"rationale": "because", "action": {completion_action}}}'
    return "\n".join(line.why for line in explained(completion, label, load_preset(preset), certainty))


@pytest.mark.parametrize("preset", [name for name in preset_names() if name not in ("opera", "customer-r1")])
def test_the_parts_of_every_example_add_up_to_its_terms(preset: str, examples: Path) -> None:
    spec = load_preset(preset)
    for line in examples.read_text(encoding="utf-8").splitlines():
        rollout = json.loads(line)
        target = prepare(read_label(rollout["label"], spec.action_space), spec)
        outcome = parse(rollout["completion"], spec)
        certainty = 9.5 if isinstance(outcome, Completion) and outcome.rationale else 0.0
        card = score(outcome, target, certainty)
        sums: dict[str, float] = defaultdict(float)
        for part in explained(rollout["completion"], rollout["label"], spec, certainty):
            assert part.earned is not None
            sums[part.term] += part.earned
            assert part.why
        assert Terms(**{name: sums[name] for name in Terms._fields}) == pytest.approx(card.terms), rollout["id"]
        assert fsum(sums.values()) == pytest.approx(card.reward), rollout["id"]


def test_a_similarity_is_shown_as_the_fraction_it_is() -> None:
    text = why('{"type": "type_and_submit", "name": "search_input", "text": "gaming mouse pad"}')
    assert "text: ROUGE-L 2·2/(3+3) = 0.6667 not over 0.75" in text
    assert "name: ROUGE-L 2·2/(2+2) = 1 > 0.75" in text


def test_what_is_missing_wrong_or_unknown_is_named() -> None:
    assert "text is empty or missing" in why('{"type": "type_and_submit", "name": "search_input", "text": ""}')
    assert "'click' is not the label's type 'type_and_submit'" in why('{"type": "click", "name": "a"}')
    assert "'hover' is not the label's type 'type_and_submit', a type this spec does not have" in why(
        '{"type": "hover"}'
    )
    japanese = '{"type": "click", "name": "購入"}'
    assert "the label '購入' has no tokens" in why(japanese, japanese)


def test_an_exact_match_and_a_wrong_click_are_explained_where_the_spec_pays_for_them() -> None:
    click = '{"type": "click", "name": "a"}'
    assert "exact match: every field is the label's" in why(click, click, "binary")
    assert "exact match: not the label's action in every field" in why(
        '{"type": "click", "name": "b"}', click, "binary"
    )
    assert "a click that is not the label's action" in why('{"type": "click", "name": "b"}', click, "customer-r1")


def test_an_unknown_certainty_is_shown_as_unknown() -> None:
    lines = explained(
        '{"rationale": "x", "action": {"type": "terminate"}}', {"type": "terminate"}, load_preset("shop-r1"), None
    )
    earned = [(line.term, line.earned) for line in lines]
    assert earned == [("format", 0.5), ("certainty", None), ("type", 0.3), ("attribute", 0), ("value", 0)]
    assert lines[-1].why == "nothing in a terminate earns it under this spec"


def test_an_empty_rationale_has_no_certainty_whatever_is_said_of_it() -> None:
    completion = '{"rationale": "", "action": {"type": "terminate"}}'
    for certainty in (None, 9.0):
        line = explained(completion, {"type": "terminate"}, load_preset("shop-r1"), certainty)[1]
        assert (line.term, line.earned, line.why) == ("certainty", 0, "an empty rationale has certainty 0")


def test_a_threshold_that_may_be_reached_is_explained_as_such() -> None:
    rule = load_preset("shop-r1").similarity.model_copy(update={"strict": False})
    spec = load_preset("shop-r1-no-rationale").model_copy(update={"similarity": rule})
    label = {"type": "click", "name": "a.b.c.d_e"}
    reached = explained('{"rationale": "", "action": {"type": "click", "name": "a.b.c"}}', label, spec, None)[-1]
    missed = explained('{"rationale": "", "action": {"type": "click", "name": "a.b"}}', label, spec, None)[-1]
    assert (reached.earned, reached.why) == (750, "name: ROUGE-L 2·3/(3+5) = 0.75 ≥ 0.75")
    assert (missed.earned, missed.why) == (0, "name: ROUGE-L 2·2/(2+5) = 0.5714 under 0.75")


def test_an_invalid_completion_has_one_line_that_says_what_is_wrong() -> None:
    (line,) = explained('{"rationale": "x"}', {"type": "terminate"}, load_preset("shop-r1"), None)
    assert (line.term, line.earned, line.possible) == ("format", 0, 0.5)
    assert line.why.startswith("wrong_keys: the keys are rationale")
