"""The rationale's logprobs, cut out of what vLLM gives for a whole completion."""

from math import log
from typing import NamedTuple

import pytest
from tokenizers import Tokenizer

from reward_server.certainty.model_files import DEMO_MODEL
from reward_server.certainty.span import RationaleFinder
from trainer.openrlhf.agent.evidence import evidence

VOCABULARY = 768
ANSWER = '{"rationale": "I want it.", "action": {"type": "terminate"}}<|im_end|>'


class Logprob(NamedTuple):
    """As vLLM's."""

    logprob: float
    rank: int | None


@pytest.fixture(scope="module")
def finder() -> RationaleFinder:
    return RationaleFinder(Tokenizer.from_file(str(DEMO_MODEL / "tokenizer.json")), VOCABULARY)


def numbered(count: int) -> list[dict[int, Logprob]]:
    """Rows that say which token they are of: the second largest logprob of token n is −n − 1."""
    return [{7: Logprob(-n - 1.0, 2), 8: Logprob(-0.5, 1), 9: Logprob(-n - 2.0, 3)} for n in range(count)]


def test_there_is_a_row_for_each_token_of_the_rationale_and_no_other(finder: RationaleFinder) -> None:
    token_ids = finder.encode(ANSWER)
    found = evidence(finder, ANSWER, token_ids, numbered(len(token_ids)), top_k=2)
    assert found is not None
    chosen = [int(-row[1]) - 1 for row in found.top_logprobs]
    assert chosen == list(range(chosen[0], chosen[-1] + 1))
    text = finder.tokenizer.decode([token_ids[n] for n in chosen])
    assert "I want it." in text
    assert len(text) <= len(' "I want it.",'), "only what shares a token with the rationale comes along"


def test_the_largest_come_first_and_no_more_than_were_asked_for(finder: RationaleFinder) -> None:
    token_ids = finder.encode(ANSWER)
    for top_k in (1, 2, 3):
        found = evidence(finder, ANSWER, token_ids, numbered(len(token_ids)), top_k)
        assert found is not None
        assert all(len(row) == top_k and row[0] == -0.5 for row in found.top_logprobs)
        assert all(row == sorted(row, reverse=True) for row in found.top_logprobs)


def test_a_sampled_token_beyond_the_likeliest_is_not_one_of_the_k(finder: RationaleFinder) -> None:
    token_ids = finder.encode(ANSWER)
    rows = [{1: Logprob(-0.1, 1), 2: Logprob(-3.0, 2), 600: Logprob(-9.0, 411)} for _ in token_ids]
    found = evidence(finder, ANSWER, token_ids, rows, top_k=2)
    assert found is not None
    assert set(map(tuple, found.top_logprobs)) == {(-0.1, -3.0)}


def test_a_certain_token_has_the_logprob_0_even_where_rounding_put_it_above(finder: RationaleFinder) -> None:
    token_ids = finder.encode(ANSWER)
    found = evidence(finder, ANSWER, token_ids, [{1: Logprob(1e-7, 1)} for _ in token_ids], top_k=1)
    assert found is not None
    assert set(map(tuple, found.top_logprobs)) == {(0.0,)}


def test_what_tells_next_to_nothing_stays_at_home_and_the_rest_is_rounded(finder: RationaleFinder) -> None:
    token_ids = finder.encode(ANSWER)
    entries = [log(p) for p in (0.9999, 9e-5, 1e-6, 1e-7)]
    rows = [{n: Logprob(logprob, n + 1) for n, logprob in enumerate(entries)} for _ in token_ids]
    found = evidence(finder, ANSWER, token_ids, rows, top_k=4)
    assert found is not None
    # ln 0.9999 and ln 9e-5, with as many digits as their probabilities have in millionths
    assert set(map(tuple, found.top_logprobs)) == {(-0.0001, -9.32)}


def test_what_no_distribution_has_is_left_for_the_server_to_refuse(finder: RationaleFinder) -> None:
    token_ids = finder.encode(ANSWER)
    found = evidence(
        finder, ANSWER, token_ids, [{1: Logprob(-0.123456789, 1), 2: Logprob(-0.2, 2)} for _ in token_ids], 2
    )
    assert found is not None
    assert set(map(tuple, found.top_logprobs)) == {(-0.123456789, -0.2)}


def test_an_empty_rationale_has_no_rows(finder: RationaleFinder) -> None:
    answer = ANSWER.replace("I want it.", "")
    token_ids = finder.encode(answer)
    found = evidence(finder, answer, token_ids, numbered(len(token_ids)), top_k=2)
    assert found is not None
    assert not found.top_logprobs


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "no json",
        '{"',
        '{"rationale": "cut',
        '{"rationale": 3}',
        '{"a": ' + "[" * 4_000,
        '{"action": {}}',
        "<|im_end|>",
    ],
)
def test_what_has_no_rationale_has_no_evidence(finder: RationaleFinder, completion: str) -> None:
    token_ids = finder.encode(completion)
    assert evidence(finder, completion, token_ids, numbered(len(token_ids)), top_k=2) is None
