"""Batches: in order, all or nothing, each fault named."""

import asyncio

import pytest

from reward_server import wire
from reward_server.certainty.rollout import RolloutSource
from reward_server.reward.completion import Reason
from reward_server.reward.spec import load_preset
from reward_server.scoring import BatchError, ConfigurationError, Scored, Scorer

STOP = '{"rationale": "I am done.", "action": {"type": "terminate"}}'
EMPTY_RATIONALE = STOP.replace("I am done.", "")
EVIDENCE = wire.CertaintyEvidence(vocab_size=4, top_logprobs=[[0.0]])

plain = Scorer(load_preset("shop-r1-no-rationale"), None)
full = Scorer(load_preset("shop-r1"), RolloutSource())


def rollout(
    completion: str = STOP, label: object = '{"type": "terminate"}', certainty: wire.CertaintyEvidence | None = None
) -> wire.Rollout:
    return wire.Rollout(completion=completion, label=label, certainty=certainty)


def scored(scorer: Scorer, *rollouts: wire.Rollout) -> list[Scored]:
    return asyncio.run(scorer.score(rollouts))


def faults(scorer: Scorer, *rollouts: wire.Rollout) -> list[tuple[int, tuple[str | int, ...], str]]:
    with pytest.raises(BatchError) as caught:
        scored(scorer, *rollouts)
    return [(fault.index, fault.path, fault.reason) for fault in caught.value.faults]


def test_scores_come_in_the_order_of_the_rollouts() -> None:
    results = scored(plain, rollout(), rollout("nonsense"), rollout(label={"type": "click", "name": "a"}))
    assert [item.card.reward for item in results] == pytest.approx([0.8, 0, 0.5])
    assert [item.label.type for item in results] == ["terminate", "terminate", "click"]
    assert results[1].card.reason is Reason.NOT_JSON


def test_an_empty_batch_has_no_scores() -> None:
    assert scored(plain) == []
    assert scored(full) == []


def test_every_bad_label_of_a_batch_is_named_and_nothing_is_scored() -> None:
    found = faults(plain, rollout(label={"type": "hover"}), rollout(), rollout(label={"action": {"type": "click"}}))
    assert [(index, path) for index, path, _ in found] == [(0, ("label", "type")), (2, ("label", "action", "name"))]


def test_a_fault_inside_a_json_label_points_at_the_label_and_names_the_place_in_words() -> None:
    ((index, path, reason),) = faults(plain, rollout(label='{"action": {"type": "hover"}}'))
    assert (index, path) == (0, ("label",))
    assert "in the label's JSON, action.type: unknown action type 'hover'" in reason


def test_only_valid_completions_with_a_rationale_need_certainty() -> None:
    results = scored(full, rollout("nonsense"), rollout(EMPTY_RATIONALE), rollout(certainty=EVIDENCE))
    assert results[0].certainty is None
    assert results[1].certainty is not None
    assert (results[1].certainty.value, results[1].certainty.tokens) == (0, 0)
    assert results[2].certainty is not None
    assert results[2].card.terms.certainty == pytest.approx(0.005 * 1.3862943611198906)


def test_a_batch_is_never_scored_half_with_certainty_and_half_without() -> None:
    ((index, path, _),) = faults(full, rollout("nonsense"), rollout(certainty=EVIDENCE), rollout())
    assert (index, path) == (2, ("certainty",))


def test_a_spec_without_certainty_looks_at_none() -> None:
    broken = wire.CertaintyEvidence(vocab_size=4, top_logprobs=[])
    (result,) = scored(plain, rollout(certainty=broken))
    assert result.certainty is None


@pytest.mark.parametrize(("preset", "source"), [("shop-r1", None), ("shop-r1-kl-from-uniform", RolloutSource())])
def test_a_spec_whose_certainty_nobody_can_tell_is_refused_before_anything_is_scored(
    preset: str, source: RolloutSource | None
) -> None:
    with pytest.raises(ConfigurationError, match=preset):
        Scorer(load_preset(preset), source)


def test_a_label_that_json_has_no_word_for_is_refused_like_any_other() -> None:
    ((index, path, reason),) = faults(plain, rollout(label={"type": {1, 2}}))
    assert (index, path) == (0, ("label", "type"))
    assert "a string" in reason


def test_labels_are_remembered_only_up_to_a_number() -> None:
    scorer = Scorer(load_preset("shop-r1-no-rationale"), None)
    for count in (1_000, 5_000, 1_000, 1_000):
        scored(scorer, *(rollout(label={"type": "click", "name": f"{count} {number}"}) for number in range(count)))
        assert len(scorer._known) <= 1_024
