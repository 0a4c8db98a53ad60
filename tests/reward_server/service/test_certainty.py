"""Certainty from the rollouts' own logprobs: bounds of KL(p‖U) by hand, and evidence that cannot be used.

With h0 = −Σ p ln p over the top k, tail mass m, R = V − k tokens left and p_k the smallest of the top k:
H_max = h0 − m ln(m/R); H_min = h0 − n p_k ln p_k − r ln r, n = ⌊m/p_k⌋, r = m − n p_k; and KL = ln V − H.
"""

import json
from math import log
from typing import Any

import pytest

from tests.reward_server.service.support import (
    CLICK,
    TERMINATE,
    assert_refused,
    assert_still_scores,
    batch,
    rollout,
    said,
)
from tests.servers import Server

ALPHA = 0.005

# V = 4, k = 2, p = ½, ¼: h0 = ½ ln 2 + ¼ ln 4 = ln 2, m = ¼, R = 2, p_k = ¼. Spread evenly, the tail is 2 × ⅛:
# H_max = ln 2 + ¼ ln 8 = 1.75 ln 2. Packed, it is one token of ¼: H_min = ln 2 + ¼ ln 4 = 1.5 ln 2. ln V = 2 ln 2.
HALF_QUARTER = [log(0.5), log(0.25)]
LOWER, UPPER = 0.25 * log(2), 0.5 * log(2)

# V = 4, p = 1: no entropy at all, KL = ln 4.
SURE = [0.0, -1000.0]


def evidence(*rows: list[float], vocab_size: object = 4) -> dict[str, Any]:
    return {"vocab_size": vocab_size, "top_logprobs": list(rows)}


def only_result(server: Server, path: str = "/score", **fields: object) -> dict[str, Any]:
    response = server.post(path, json=batch(rollout(**fields)))
    assert response.status_code == 200, response.text
    return dict(response.json()["results"][0])


def refusal(server: Server, certainty: object, pointer: str, kind: str = "bad-certainty") -> str:
    """The detail of the refusal of a rollout with this evidence, the second of its batch."""
    good = rollout(certainty=evidence(SURE))
    response = server.post(json=batch(good, rollout(certainty=certainty)))
    return str(assert_refused(response, 422, kind, f"/rollouts/1/certainty{pointer}")["detail"])


def test_the_certainty_of_one_token_is_the_midpoint_of_its_bounds(certainty_server: Server) -> None:
    result = only_result(certainty_server, certainty=evidence(HALF_QUARTER))
    middle = (LOWER + UPPER) / 2
    expected = {"value": middle, "lower": LOWER, "upper": UPPER, "tokens": 1}
    assert {name: result["certainty"][name] for name in expected} == pytest.approx(expected)
    assert result["certainty"]["kind"] == "kl_to_uniform"
    assert result["certainty"]["source"] == "rollout"
    assert result["certainty"]["model"] is None
    assert result["terms"]["certainty"] == pytest.approx(ALPHA * middle)
    assert result["reward"] == pytest.approx(0.5 + 0.3 + ALPHA * middle)
    assert result["score"] == 1


@pytest.mark.parametrize(
    ("row", "vocab_size", "lower", "upper"),
    [
        # All of V is known: p = ¾, ¼ has H = ln 4 − ¾ ln 3, so KL = ln 2 − H = ¾ ln 3 − ln 2.
        ([log(0.75), log(0.25)], 2, 0.75 * log(3) - log(2), 0.75 * log(3) - log(2)),
        # k = 1, p = 0.6: the tail 0.4 is spread over 9, or is one token of 0.4 (n = 0, r = 0.4).
        (
            [log(0.6)],
            10,
            log(10) + 0.6 * log(0.6) + 0.4 * log(0.4 / 9),
            log(10) + 0.6 * log(0.6) + 0.4 * log(0.4),
        ),
        # k = 1, p = 0.3: the tail 0.7 is spread over 9, or is two tokens of 0.3 and one of 0.1 (n = 2, r = 0.1).
        (
            [log(0.3)],
            10,
            log(10) + 0.3 * log(0.3) + 0.7 * log(0.7 / 9),
            log(10) + 3 * 0.3 * log(0.3) + 0.1 * log(0.1),
        ),
        ([log(0.25)] * 4, 4, 0, 0),
        ([0.0], 151_936, log(151_936), log(151_936)),
        # The order of a row does not matter.
        (HALF_QUARTER[::-1], 4, LOWER, UPPER),
    ],
    ids=["whole vocabulary", "tail below p_k", "tail above p_k", "uniform", "sure", "ascending"],
)
def test_bounds_are_those_of_the_formulas(
    certainty_server: Server, row: list[float], vocab_size: int, lower: float, upper: float
) -> None:
    certainty = only_result(certainty_server, certainty=evidence(row, vocab_size=vocab_size))["certainty"]
    found = [certainty["lower"], certainty["upper"], certainty["value"]]
    assert found == pytest.approx([lower, upper, (lower + upper) / 2], abs=1e-9)


def test_the_certainty_of_a_rationale_is_the_mean_over_its_tokens(certainty_server: Server) -> None:
    certainty = only_result(certainty_server, certainty=evidence(HALF_QUARTER, SURE, SURE))["certainty"]
    assert certainty["tokens"] == 3
    assert certainty["lower"] == pytest.approx((LOWER + 2 * log(4)) / 3)
    assert certainty["upper"] == pytest.approx((UPPER + 2 * log(4)) / 3)


def test_the_kind_of_eq_3_is_divided_by_the_size_of_the_vocabulary(certainty_server: Server) -> None:
    path = "/score?spec=shop-r1-kl-to-uniform-over-vocab"
    result = only_result(certainty_server, path, certainty=evidence(HALF_QUARTER))
    assert result["certainty"]["kind"] == "kl_to_uniform_over_vocab"
    assert result["certainty"]["value"] == pytest.approx((LOWER + UPPER) / 2 / 4)
    assert result["terms"]["certainty"] == pytest.approx(ALPHA * (LOWER + UPPER) / 2 / 4)


def test_the_certainty_comes_on_top_of_every_other_term(certainty_server: Server) -> None:
    result = only_result(certainty_server, action=CLICK, label=CLICK, certainty=evidence(SURE))
    assert result["reward"] == pytest.approx(1001 + ALPHA * log(4))
    wrong_type = only_result(certainty_server, action=CLICK, label=TERMINATE, certainty=evidence(SURE))
    assert wrong_type["reward"] == pytest.approx(0.5 + ALPHA * log(4))


def test_a_valid_rollout_without_evidence_is_refused_by_its_name(certainty_server: Server) -> None:
    assert "top_logprobs" in refusal(certainty_server, None, "")
    nobody_brings_any = certainty_server.post(json=batch(rollout(), rollout()))
    body = assert_refused(nobody_brings_any, 422, "bad-certainty", "/rollouts/0/certainty")
    assert [error["pointer"] for error in body["errors"]] == ["/rollouts/0/certainty", "/rollouts/1/certainty"]


def test_an_invalid_completion_needs_no_evidence_and_has_no_certainty(certainty_server: Server) -> None:
    rollouts = [{"completion": "nonsense", "label": TERMINATE}, rollout(certainty=evidence(SURE))]
    invalid, valid = certainty_server.post(json=batch(*rollouts)).json()["results"]
    assert (invalid["reward"], invalid["certainty"], invalid["reason"]) == (0, None, "not_json")
    assert valid["reward"] == pytest.approx(0.8 + ALPHA * log(4))


def test_the_evidence_of_an_invalid_completion_earns_nothing(certainty_server: Server) -> None:
    result = only_result(certainty_server, completion="nonsense", certainty=evidence(SURE))
    assert (result["reward"], result["certainty"]) == (0, None)


@pytest.mark.parametrize("fields", [{}, {"certainty": evidence(SURE)}], ids=["without evidence", "with evidence"])
def test_an_empty_rationale_has_certainty_0(certainty_server: Server, fields: dict[str, object]) -> None:
    result = only_result(certainty_server, completion=said(TERMINATE, ""), **fields)
    assert result["reward"] == 0.8
    assert {name: result["certainty"][name] for name in ("value", "lower", "upper", "tokens")} == {
        "value": 0,
        "lower": 0,
        "upper": 0,
        "tokens": 0,
    }
    assert result["certainty"]["kind"] == "kl_to_uniform"


def test_a_rationale_of_white_space_is_not_empty(certainty_server: Server) -> None:
    response = certainty_server.post(json=batch({"completion": said(TERMINATE, " "), "label": TERMINATE}))
    assert_refused(response, 422, "bad-certainty", "/rollouts/0/certainty")


@pytest.mark.parametrize(
    ("rows", "vocab_size", "pointer", "word"),
    [
        ([], 4, "/top_logprobs", "no tokens"),
        ([[]], 4, "/top_logprobs/0", "k ≥ 1"),
        ([SURE, []], 4, "/top_logprobs/1", "k ≥ 1"),
        ([HALF_QUARTER, [log(0.6), log(0.5)]], 4, "/top_logprobs/1", "sum"),
        ([[0.0, 0.0]], 4, "/top_logprobs/0", "sum"),
        ([[log(0.4), log(0.3), log(0.2)]], 2, "/top_logprobs/0", "vocabulary"),
        ([SURE, [log(0.5), log(0.01)]], 4, "/top_logprobs/1", "cannot be"),
        ([[log(0.0001)]], 1000, "/top_logprobs/0", "cannot be"),
        ([[log(0.5), log(0.4)]], 2, "/top_logprobs/0", "cannot be"),
    ],
    ids=[
        "no tokens",
        "k = 0",
        "a token without any",
        "sum over 1",
        "sure twice",
        "k over the vocabulary",
        "tail too big for V = 4",
        "tail too big for V = 1000",
        "whole vocabulary under 1",
    ],
)
def test_logprobs_that_no_distribution_has_are_refused_with_a_pointer_to_the_token(
    certainty_server: Server, rows: list[list[float]], vocab_size: int, pointer: str, word: str
) -> None:
    assert word in refusal(certainty_server, evidence(*rows, vocab_size=vocab_size), pointer)


def test_a_sum_a_hair_over_1_is_rounding_and_no_error(certainty_server: Server) -> None:
    certainty = only_result(certainty_server, certainty=evidence([log(0.5), log(0.5004)], vocab_size=2))["certainty"]
    assert certainty["value"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("logprob", [0.1, 5e-324, 7])
def test_a_logprob_above_0_is_refused(certainty_server: Server, logprob: float) -> None:
    refusal(certainty_server, evidence(SURE, [-1.0, logprob]), "/top_logprobs/1/1", "bad-request")


@pytest.mark.parametrize("vocab_size", [1, 0, -4, 10**9, 4.5, "4", True, None])
def test_a_wrong_size_of_the_vocabulary_is_refused(certainty_server: Server, vocab_size: object) -> None:
    refusal(certainty_server, evidence(SURE, vocab_size=vocab_size), "/vocab_size", "bad-request")


@pytest.mark.parametrize("value", ["-0.5", None, True, [-0.5]])
def test_a_logprob_that_is_no_number_is_refused(certainty_server: Server, value: object) -> None:
    rows = {"vocab_size": 4, "top_logprobs": [[-0.5, value]]}
    refusal(certainty_server, rows, "/top_logprobs/0/1", "bad-request")


@pytest.mark.parametrize("number", ["NaN", "-Infinity"])
def test_a_logprob_that_is_not_finite_is_refused(certainty_server: Server, number: str) -> None:
    body = json.dumps(batch(rollout(certainty=evidence([-0.5, -9])))).replace("-9", number)
    response = certainty_server.post(content=body)
    assert_refused(response, 422, "bad-json", "/rollouts/0/certainty/top_logprobs/0/1")


def test_evidence_is_not_looked_at_where_the_spec_gives_certainty_no_weight(server: Server) -> None:
    result = only_result(server, certainty=evidence([log(0.6), log(0.6)], []))
    assert (result["reward"], result["certainty"]) == (0.8, None)
    assert_still_scores(server)


def test_the_version_names_the_source_and_the_kind(server: Server, certainty_server: Server) -> None:
    unknown = {"model": None, "revision": None, "loaded_at": None}
    rollouts = {"source": "rollout", "kind": "kl_to_uniform", **unknown, "takes_rollouts": True}
    assert certainty_server.get("/version").json()["certainty"] == rollouts
    nothing = {"source": "none", "kind": None, **unknown, "takes_rollouts": False}
    assert server.get("/version").json()["certainty"] == nothing
