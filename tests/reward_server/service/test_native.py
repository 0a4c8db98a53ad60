"""`POST /score` in the native dialect, against the paper's Table 1."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reward_server.service.support import (
    CLICK,
    SEARCH,
    TERMINATE,
    Action,
    assert_refused,
    batch,
    rollout,
    said,
)
from tests.servers import Server


def click(name: str) -> Action:
    return {"type": "click", "name": name}


def search(name: str, text: str) -> Action:
    return {"type": "type_and_submit", "name": name, "text": text}


def only_result(server: Server, *args: Any, **fields: Any) -> dict[str, Any]:
    response = server.post(json=batch(rollout(*args, **fields)))
    assert response.status_code == 200, response.text
    (result,) = response.json()["results"]
    return dict(result)


def test_one_rollout_is_answered_in_full(server: Server) -> None:
    response = server.post(json=batch(rollout(CLICK, CLICK, id="step12/prompt7/3", group="step12/prompt7")))
    answer = response.json()
    digest = server.get("/version").json()["spec"]["digest"]
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["etag"] == f'"{digest}"'
    assert answer == {
        "rewards": [1001.0],
        "scores": [1.0],
        "results": [
            {
                "id": "step12/prompt7/3",
                "group": "step12/prompt7",
                "reward": 1001.0,
                "score": 1.0,
                "terms": {"format": 0.5, "certainty": 0.0, "type": 0.3, "attribute": 0.2, "value": 1000.0},
                "certainty": None,
                "action": CLICK,
                "type_match": True,
                "exact_match": True,
                "reason": None,
            }
        ],
        "spec": {"name": "shop-r1-no-rationale", "digest": digest},
        "server_version": server.get("/version").json()["server_version"],
    }


# Format 0.5, then the type, attribute and value of Table 1; DARS 1000, and ROUGE-L counts above 3/4 only.
@pytest.mark.parametrize(
    ("predicted", "label", "of_type", "attribute", "value"),
    [
        (TERMINATE, TERMINATE, 0.3, 0, 0),
        (TERMINATE, CLICK, 0, 0, 0),
        (CLICK, TERMINATE, 0, 0, 0),
        ({"type": "hover", "name": "add_to_cart.buy_now"}, CLICK, 0, 0, 0),
        (CLICK, CLICK, 0.3, 0.2, 1000),
        (click("Add to Cart: Buy Now"), CLICK, 0.3, 0.2, 1000),
        (click("footer.help"), CLICK, 0.3, 0.2, 0),
        (click("a.b.c"), click("a.b.c.d"), 0.3, 0.2, 1000 * 6 / 7),
        (click("a.b.c"), click("a.b.c.d_e"), 0.3, 0.2, 0),
        (click(""), CLICK, 0.3, 0, 0),
        ({"type": "click"}, CLICK, 0.3, 0, 0),
        (SEARCH, SEARCH, 0.3, 0.2, 1000.1),
        (search("search_input", "desk lamp"), SEARCH, 0.3, 0.2, 0.1),
        (search("footer", "wireless gaming mouse rgb"), SEARCH, 0.3, 0.2, 1000 * 6 / 7),
        (search("search_input", ""), SEARCH, 0.3, 0.1, 0.1),
        ({"type": "type_and_submit"}, SEARCH, 0.3, 0, 0),
        (search("", "wireless gaming mouse"), SEARCH, 0.3, 0.1, 1000),
        ({**CLICK, "text": "beside the point", "confidence": [1, 2]}, CLICK, 0.3, 0.2, 1000),
    ],
)
def test_a_valid_completion_earns_what_table_1_says(
    server: Server, predicted: Action, label: Action, of_type: float, attribute: float, value: float
) -> None:
    result = only_result(server, predicted, label)
    expected = {"format": 0.5, "certainty": 0, "type": of_type, "attribute": attribute, "value": value}
    assert result["terms"] == pytest.approx(expected, rel=1e-12)
    assert result["reward"] == pytest.approx(0.5 + of_type + attribute + value, rel=1e-12)
    assert result["type_match"] is (of_type > 0)
    assert result["reason"] is None


@pytest.mark.parametrize(
    ("predicted", "label", "score"),
    [
        (TERMINATE, TERMINATE, 1),
        (CLICK, TERMINATE, 0.5 / 0.8),
        (TERMINATE, CLICK, 0.5 / 1001),
        (click("footer.help"), CLICK, 1 / 1001),
        (SEARCH, SEARCH, 1),
        (search("search_input", "desk lamp"), SEARCH, 1.1 / 1001.1),
    ],
)
def test_the_score_is_the_share_of_the_most_that_the_label_allows(
    server: Server, predicted: Action, label: Action, score: float
) -> None:
    assert only_result(server, predicted, label)["score"] == pytest.approx(score, rel=1e-12)


def test_a_match_is_exact_only_when_the_text_is_the_same_and_not_merely_its_tokens(server: Server) -> None:
    assert only_result(server, CLICK, CLICK)["exact_match"] is True
    assert only_result(server, click("Add to Cart: Buy Now"), CLICK)["exact_match"] is False


@pytest.mark.parametrize(
    ("completion", "reason"),
    [
        ("", "empty"),
        ("  \n<|im_end|>\n", "empty"),
        ("I would buy it.", "not_json"),
        ('{"rationale": "r", "action": {"type": "terminate"}', "not_json"),
        ('{"rationale": "r", "action": {"type": "terminate"},}', "not_json"),
        ('{"rationale": "r", "action": {"type": "terminate", "x": NaN}}', "not_json"),
        ('Sure! {"rationale": "r", "action": {"type": "terminate"}}', "extra_text"),
        ('```json\n{"rationale": "r", "action": {"type": "terminate"}}\n```', "extra_text"),
        ('{"rationale": "r", "rationale": "s", "action": {"type": "terminate"}}', "duplicate_key"),
        ('{"action": {"type": "terminate"}}', "wrong_keys"),
        ('{"rationale": "r", "action": {"type": "terminate"}, "why": ""}', "wrong_keys"),
        ('{"rationale": ["r"], "action": {"type": "terminate"}}', "bad_rationale"),
        ('{"rationale": "r", "action": "terminate"}', "bad_action"),
        ('{"rationale": "r", "action": {"name": "terminate"}}', "bad_action"),
        ('{"rationale": "r", "action": {"type": "click", "name": 3}}', "bad_action"),
    ],
)
def test_an_invalid_completion_earns_nothing_and_says_why(server: Server, completion: str, reason: str) -> None:
    result = only_result(server, completion=completion)
    assert result == {
        "id": None,
        "group": None,
        "reward": 0,
        "score": 0,
        "terms": {"format": 0, "certainty": 0, "type": 0, "attribute": 0, "value": 0},
        "certainty": None,
        "action": None,
        "type_match": False,
        "exact_match": False,
        "reason": reason,
    }


def test_white_space_and_end_of_turn_tokens_around_a_completion_do_not_count(server: Server) -> None:
    assert only_result(server, completion=f"\n {said(TERMINATE)}<|im_end|>\n<|endoftext|>")["reward"] == 0.8


@pytest.mark.parametrize(
    "label",
    [
        SEARCH,
        {"action": SEARCH},
        json.dumps(SEARCH),
        json.dumps({"action": SEARCH}),
        {**SEARCH, "session": 7, "rationale": None},
        {"action": SEARCH, "session": {"id": 7}},
    ],
    ids=["action", "wrapped", "string", "wrapped string", "action with more", "wrapped with more"],
)
def test_a_label_may_come_in_any_of_its_forms(server: Server, label: object) -> None:
    result = only_result(server, SEARCH, label)
    assert result["reward"] == pytest.approx(1001.1)
    assert result["exact_match"] is True


def test_results_come_in_the_order_of_the_request_with_their_ids_and_groups(server: Server) -> None:
    actions = [CLICK, TERMINATE, SEARCH] * 100
    rollouts = [rollout(action, CLICK, id=f"é{n}", group=f"組{n // 3}") for n, action in enumerate(actions)]
    answer = server.post(json=batch(*rollouts)).json()
    assert [result["id"] for result in answer["results"]] == [f"é{n}" for n in range(300)]
    assert [result["group"] for result in answer["results"]] == [f"組{n // 3}" for n in range(300)]
    assert answer["rewards"] == [1001.0, 0.5, 0.5] * 100
    assert answer["rewards"] == [result["reward"] for result in answer["results"]]
    assert answer["scores"] == [result["score"] for result in answer["results"]]


def test_a_batch_is_scored_as_its_rollouts_are_one_by_one(certainty_server: Server, examples: Path) -> None:
    rollouts = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()]
    together = certainty_server.post(json=batch(*rollouts)).json()["results"]
    alone = [certainty_server.post(json=batch(one)).json()["results"][0] for one in rollouts]
    assert len(together) > 20
    assert together == alone


def test_an_empty_batch_has_empty_lists(server: Server) -> None:
    answer = server.post(json=batch()).json()
    assert (answer["rewards"], answer["scores"], answer["results"]) == ([], [], [])


def test_get_reward_is_another_name_for_score(server: Server) -> None:
    request = batch(rollout(CLICK, SEARCH), rollout())
    assert server.post("/get_reward", json=request).content == server.post("/score", json=request).content


def test_the_content_type_of_a_request_does_not_matter(server: Server) -> None:
    body = json.dumps(batch(rollout())).encode()
    for content_type in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        response = server.post(content=body, headers={"Content-Type": content_type})
        assert response.json()["rewards"] == [0.8]


def test_all_that_a_rollout_may_carry_is_accepted(server: Server) -> None:
    certainty = {"vocab_size": 4, "top_logprobs": [[-0.5, -2], [-1, -1.5]]}
    full = rollout(prompt="before", prompt_token_ids=[0, 1], completion_token_ids=[2], certainty=certainty, mine="x")
    empty = rollout(id=None, group=None, prompt=None, prompt_token_ids=None, completion_token_ids=None, certainty=None)
    assert server.post(json=batch(full, empty)).json()["rewards"] == [0.8, 0.8]


def test_a_batch_with_one_bad_label_is_not_scored_at_all(server: Server) -> None:
    response = server.post(json=batch(rollout(), rollout(label={"type": "hover"})))
    assert "rewards" not in assert_refused(response, 422, "bad-label", "/rollouts/1/label/type")
