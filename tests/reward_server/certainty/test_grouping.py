"""What a model has to read of a batch."""

import pytest
from tokenizers import Tokenizer, models

from reward_server.certainty.grouping import group_by_prompt
from reward_server.certainty.source import EvidenceError, RationaleRequest, SourceError
from reward_server.certainty.span import RationaleFinder
from tests.reward_server.certainty.test_span import byte_level, completion, ids

TOKENIZER = byte_level()
FINDER = RationaleFinder(TOKENIZER, TOKENIZER.get_vocab_size())
BEFORE = len('{"rationale": "')
"""Tokens, one for each byte, before a rationale."""


def request(rationale: str, prompt: str | None = "p", **fields: list[int]) -> RationaleRequest:
    return RationaleRequest(completion(rationale), prompt, **fields)


def test_rollouts_of_one_prompt_travel_together_wherever_they_stand() -> None:
    batch = [request("a"), request("b", "other"), request("c"), request("d", None), request("e", "")]
    groups = group_by_prompt(batch, FINDER, None)
    assert [group.prompt_token_ids for group in groups] == [ids(TOKENIZER, "p"), ids(TOKENIZER, "other"), []]
    assert [[item.indexes for item in group.measurements] for group in groups] == [[[0], [2]], [[1]], [[3], [4]]]


def test_equal_rationales_are_measured_once_whatever_action_follows() -> None:
    other = RationaleRequest(completion("a").replace("terminate", "click"), "p")
    (group,) = group_by_prompt([request("a"), other, request("ab")], FINDER, None)
    assert [item.indexes for item in group.measurements] == [[0, 1], [2]]


def test_what_follows_the_rationale_is_not_read() -> None:
    (group,) = group_by_prompt([request("ab")], FINDER, None)
    (measurement,) = group.measurements
    assert (measurement.tokens.start, measurement.tokens.end) == (BEFORE, BEFORE + 2)
    assert list(measurement.tokens.token_ids) == ids(TOKENIZER, '{"rationale": "ab')


def test_token_ids_win_over_text() -> None:
    merged = byte_level(("a", "b"))
    own = ids(merged, '{"rationale": "', "a", 'b", "action": {"type": "terminate"}}')
    found = group_by_prompt(
        [RationaleRequest(completion("ab"), "text", [7, 8], own)], RationaleFinder(merged, 300), None
    )
    assert found[0].prompt_token_ids == [7, 8]
    assert (found[0].measurements[0].tokens.start, found[0].measurements[0].tokens.end) == (BEFORE, BEFORE + 2)


def test_a_prompt_that_just_fits_is_read_and_one_token_more_is_refused_with_both_lengths() -> None:
    needed = 3 + BEFORE + 2
    assert group_by_prompt([request("ab", "ppp")], FINDER, needed)
    with pytest.raises(EvidenceError) as caught:
        group_by_prompt(
            [request("ab", "pp"), request("ab", "pppp"), request("ab", prompt_token_ids=[1] * 9)], FINDER, needed
        )
    first, second = caught.value.faults
    assert (first.index, first.path, second.index, second.path) == (1, ("prompt",), 2, ("prompt_token_ids",))
    assert "prompt's 4 tokens and 17 of the completion" in first.reason
    assert "are 21, more than the 20 that the model reads" in first.reason


def test_every_request_at_fault_is_named_with_its_field() -> None:
    size = FINDER.vocab_size
    with pytest.raises(EvidenceError) as caught:
        group_by_prompt(
            [
                request("a", prompt_token_ids=[1, size]),
                request("a"),
                request("a", completion_token_ids=ids(TOKENIZER, completion("b"))),
                request("a", completion_token_ids=[size]),
                request("much too long", None),
            ],
            FINDER,
            BEFORE + 12,
        )
    assert [(fault.index, fault.path) for fault in caught.value.faults] == [
        (0, ("prompt_token_ids", 1)),
        (2, ("completion_token_ids",)),
        (3, ("completion_token_ids",)),
        (4, ("completion",)),
    ]


def test_a_rationale_in_the_first_token_needs_a_prompt() -> None:
    whole = byte_level(*[(('{"rationale":Ġ"'[:n]), ('{"rationale":Ġ"a'[n])) for n in range(1, 16)])
    find = RationaleFinder(whole, whole.get_vocab_size())
    assert group_by_prompt([request("a")], find, None)[0].measurements[0].tokens.start == 0
    with pytest.raises(EvidenceError, match="first token, whose probability needs a prompt"):
        group_by_prompt([request("a", None)], find, None)


def test_a_tokenizer_that_cannot_read_fails_the_source_and_not_the_rollouts() -> None:
    broken = Tokenizer(models.BPE({"a": 0}, [], unk_token="<unk>"))
    with pytest.raises(SourceError, match="tokenizer cannot read texts"):
        group_by_prompt([request("b")], RationaleFinder(broken, 10), None)
