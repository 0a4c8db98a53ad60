"""`POST /score` as OpenRLHF 0.11.2 calls it: decoded text in, rewards, scores and flat numbers out."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from tests.reward_server.service.support import (
    CLICK,
    SEARCH,
    TERMINATE,
    assert_refused,
    assert_still_scores,
    batch,
    rollout,
    said,
)
from tests.servers import Server

ASSISTANT = "<|im_end|>\n<|im_start|>assistant\n"
PAGE = " ".join(f'<button name="result_{n}.add_to_cart">Add item {n}</button>' for n in range(40))
PROMPT = f"<|im_start|>system\nYou are a shopper.<|im_end|>\n<|im_start|>user\n{PAGE}{ASSISTANT}"

LOGS = {
    "term_format",
    "term_certainty",
    "term_type",
    "term_attribute",
    "term_value",
    "certainty_nats",
    "certainty_width",
    "certainty_without_context",
    "valid",
    "type_match",
    "exact_match",
    "predicts_click",
    "predicts_terminate",
    "predicts_type_and_submit",
    "predicts_unknown_type",
}


def message(*samples: tuple[str, str, object]) -> dict[str, Any]:
    """The request for samples of query, prompt and label."""
    queries, prompts, labels = zip(*samples, strict=True)
    return {"query": queries, "prompts": prompts, "labels": labels}


def ask(server: Server, query: str, prompt: str = PROMPT, label: object = TERMINATE) -> httpx.Response:
    return server.post(json=message((query, prompt, label)))


def test_one_sample_is_answered_with_lists_of_one_and_flat_numbers(server: Server) -> None:
    response = ask(server, f"{PROMPT}{said(SEARCH)}<|im_end|>", PROMPT, SEARCH)
    answer = response.json()
    assert response.status_code == 200
    assert response.headers["etag"] == f'"{server.get("/version").json()["spec"]["digest"]}"'
    assert answer.keys() == {"rewards", "scores", "extra_logs"}
    assert answer["rewards"] == pytest.approx([1001.1])
    assert answer["scores"] == [1]
    nothing = dict.fromkeys(LOGS, 0)
    terms = {"term_format": 0.5, "term_type": 0.3, "term_attribute": 0.2, "term_value": 1000.1}
    flags = {"valid": 1, "type_match": 1, "exact_match": 1, "predicts_type_and_submit": 1}
    assert answer["extra_logs"] == pytest.approx(nothing | terms | flags)


@pytest.mark.parametrize(
    "completion",
    [said(CLICK), said({"type": "hover"}), said(TERMINATE), "nonsense", ""],
    ids=["click", "unknown type", "terminate", "not JSON", "empty"],
)
def test_every_reply_has_the_same_log_keys_and_only_numbers_under_them(server: Server, completion: str) -> None:
    logs = ask(server, PROMPT + completion).json()["extra_logs"]
    assert logs.keys() == LOGS
    assert {type(value) for value in logs.values()} <= {int, float}
    assert "reward" not in logs


def test_logs_are_means_over_the_samples_of_a_request(server: Server) -> None:
    samples = [
        (PROMPT + said(CLICK), PROMPT, CLICK),
        (PROMPT + said({"type": "hover"}), PROMPT, CLICK),
        (PROMPT + said(TERMINATE), PROMPT, CLICK),
        (PROMPT + "nonsense", PROMPT, CLICK),
    ]
    answer = server.post(json=message(*samples)).json()
    assert answer["rewards"] == [1001.0, 0.5, 0.5, 0]
    assert answer["scores"] == pytest.approx([1, 0.5 / 1001, 0.5 / 1001, 0])
    means = {
        "term_format": 3 * 0.5 / 4,
        "term_type": 0.3 / 4,
        "term_attribute": 0.2 / 4,
        "term_value": 1000 / 4,
        "valid": 3 / 4,
        "type_match": 1 / 4,
        "exact_match": 1 / 4,
        "predicts_click": 1 / 4,
        "predicts_terminate": 1 / 4,
        "predicts_unknown_type": 1 / 4,
    }
    assert answer["extra_logs"] == pytest.approx(dict.fromkeys(LOGS, 0) | means)


@pytest.mark.parametrize(
    "label", [SEARCH, {"action": SEARCH}, json.dumps(SEARCH), json.dumps({"action": SEARCH})], ids=str
)
def test_labels_may_be_dicts_or_strings(server: Server, label: object) -> None:
    assert ask(server, PROMPT + said(SEARCH), PROMPT, label).json()["rewards"] == pytest.approx([1001.1])


def test_both_dialects_give_the_same_reward(server: Server) -> None:
    predicted = {**SEARCH, "text": "wireless gaming mouse rgb"}
    native = server.post(json=batch(rollout(predicted, SEARCH))).json()
    openrlhf = ask(server, PROMPT + said(predicted), PROMPT, SEARCH).json()
    assert openrlhf["rewards"] == native["rewards"]
    assert openrlhf["scores"] == native["scores"]


def test_a_run_without_a_label_key_is_told_so_at_its_label(server: Server) -> None:
    body = assert_refused(ask(server, PROMPT + said(CLICK), PROMPT, ""), 422, "bad-label", "/labels/0")
    assert "empty" in body["detail"]


def test_a_bad_label_is_refused_with_a_pointer_into_the_labels(server: Server) -> None:
    samples = [(PROMPT + said(CLICK), PROMPT, CLICK), (PROMPT + said(CLICK), PROMPT, {"type": "hover"})]
    assert_refused(server.post(json=message(*samples)), 422, "bad-label", "/labels/1/type")


@pytest.mark.parametrize("left", [32, 33, 200, len(PROMPT) - 1])
def test_a_prompt_cut_on_the_left_is_recognised_by_what_is_left_of_it(server: Server, left: int) -> None:
    assert ask(server, PROMPT[-left:] + said(TERMINATE)).json()["rewards"] == [0.8]


def test_without_a_prompt_all_of_the_query_is_the_completion(server: Server) -> None:
    assert ask(server, said(TERMINATE), "").json()["rewards"] == [0.8]
    assert ask(server, f"x{said(TERMINATE)}", "").json()["rewards"] == [0]


def test_a_completion_follows_the_unique_end_of_a_prompt_that_decoding_changed(server: Server) -> None:
    changed = PROMPT.replace("You are a shopper.", "You are  a shopper .", 1)
    assert ask(server, changed + said(TERMINATE)).json()["rewards"] == [0.8]


@pytest.mark.parametrize(
    "prompt_in_query",
    [PROMPT, PROMPT[-500:], PROMPT.replace("shopper", "Shopper", 1)],
    ids=["whole", "cut", "changed by decoding"],
)
@pytest.mark.parametrize("marker", ["<|im_start|>assistant\n", ASSISTANT, PROMPT[-100:], PROMPT])
def test_a_model_that_writes_the_templates_markers_cannot_move_the_split(
    server: Server, prompt_in_query: str, marker: str
) -> None:
    assert ask(server, f"{prompt_in_query}Let me think.{marker}{said(TERMINATE)}").json()["rewards"] == [0]


@pytest.mark.parametrize(
    "query",
    ["", said(TERMINATE), f"another prompt {said(TERMINATE)}", PROMPT[:-30] + said(TERMINATE)],
    ids=["empty", "completion alone", "another prompt", "prompt without its end"],
)
def test_a_query_in_which_the_prompt_does_not_end_is_refused_and_not_guessed_at(server: Server, query: str) -> None:
    samples = [(PROMPT + said(TERMINATE), PROMPT, TERMINATE), (query, PROMPT, TERMINATE)]
    assert_refused(server.post(json=message(*samples)), 422, "no-completion", "/query/1")
    assert_still_scores(server)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prompts", []),
        ("prompts", [PROMPT, PROMPT]),
        ("labels", []),
        ("labels", [TERMINATE, TERMINATE]),
    ],
)
def test_lists_of_different_lengths_are_refused_with_a_pointer_to_the_odd_one(
    server: Server, field: str, values: list[object]
) -> None:
    request = message((PROMPT + said(TERMINATE), PROMPT, TERMINATE)) | {field: values}
    assert_refused(server.post(json=request), 422, "mismatched-lengths", f"/{field}")


@pytest.mark.parametrize("field", ["prompts", "labels"])
def test_a_missing_list_is_refused_with_a_pointer_to_it(server: Server, field: str) -> None:
    request = message((PROMPT + said(TERMINATE), PROMPT, TERMINATE))
    del request[field]
    assert_refused(server.post(json=request), 422, "bad-request", f"/{field}")


@pytest.mark.parametrize(("field", "value"), [("query", "text"), ("prompts", "text"), ("labels", "{}")])
def test_a_string_in_place_of_a_list_is_refused(server: Server, field: str, value: str) -> None:
    request = message((PROMPT + said(TERMINATE), PROMPT, TERMINATE)) | {field: value}
    assert_refused(server.post(json=request), 422, "bad-request", f"/{field}")


def test_a_spec_that_needs_certainty_cannot_be_served_from_a_query_alone(certainty_server: Server) -> None:
    response = ask(certainty_server, PROMPT + said(TERMINATE))
    body = assert_refused(response, 422, "bad-certainty", "/query/0")
    assert "certainty" in body["detail"]


def test_the_url_alone_can_choose_the_spec_and_pin_its_digest(server: Server) -> None:
    digest = server.get("/specs/binary").json()["digest"]
    request = message((PROMPT + said(CLICK), PROMPT, CLICK))
    response = server.post(f"/get_reward?spec=binary&digest={digest}&run=r1", json=request)
    assert response.json()["rewards"] == [1.0]
    assert_refused(server.post(f"/get_reward?digest={digest}", json=request), 412, "another-spec", "?digest")


def test_many_samples_at_once_each_over_its_own_connection_get_their_own_rewards(server: Server) -> None:
    actions = [CLICK, TERMINATE, SEARCH, {"type": "click", "name": "other"}] * 32
    rewards = [1001.0, 0.5, 0.5, 1.0] * 32

    def score(action: object) -> list[float]:
        request = message((PROMPT + said(action), PROMPT, CLICK))
        connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", "/score", json.dumps(request))
            return list(json.loads(connection.getresponse().read())["rewards"])
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=32) as pool:
        assert list(pool.map(score, actions)) == [[reward] for reward in rewards]


CHANGED = "<|im_start|>user\nAdd to cart \nReviews \nWhat next?" + ASSISTANT


@pytest.mark.parametrize(
    ("decoded", "prompt", "reward"),
    [
        # Decoding dropped spaces before line ends; a short tail such as "t\\n" would match inside the prompt.
        (CHANGED.replace(" \n", "\n"), CHANGED, 0.8),
        (CHANGED.replace("next?", "next ?"), CHANGED, 0.8),
        ("<s> " + CHANGED, CHANGED, 0.8),
        ("<s>short?", "short?", 0.8),
    ],
)
def test_a_prompt_that_decoding_changed_is_found_by_a_tail_that_is_long_enough(
    decoded: str, prompt: str, reward: float, server: Server
) -> None:
    assert ask(server, decoded + said(TERMINATE), prompt).json()["rewards"] == pytest.approx([reward])


@pytest.mark.parametrize(
    ("query", "prompt"),
    [
        (f"hello {said(CLICK)}", "Something else entirely."),
        (f"{PROMPT}{said(CLICK)}", "Another prompt, which no tokenizer would ever turn into that one.\n"),
    ],
)
def test_a_query_that_is_not_its_prompt_s_is_refused_and_never_guessed_at(
    query: str, prompt: str, server: Server
) -> None:
    assert_refused(ask(server, query, prompt, CLICK), 422, "no-completion", "/query/0")


def test_a_prompt_that_repeats_itself_without_end_is_refused_in_time(server: Server) -> None:
    assert_refused(
        ask(server, "ab" * 20_000 + said(CLICK), "ab" * 60_000 + "c", CLICK), 422, "no-completion", "/query/0"
    )


@pytest.mark.parametrize(
    ("decoded", "prompt"),
    [
        ("un caf\u00e9\n", "un cafe\u0301\n"),
        ("価格:500円\nAction:", "価格：５００円\nAction:"),
        ("\ufffd" + PROMPT[-200:], "é" * 300 + PROMPT[-200:]),
        (PROMPT[-31:], PROMPT[-31:]),
    ],
)
def test_a_prompt_in_a_normal_form_or_cut_inside_a_character_is_found(
    decoded: str, prompt: str, server: Server
) -> None:
    assert ask(server, decoded + said(TERMINATE), prompt).json()["rewards"] == pytest.approx([0.8])
