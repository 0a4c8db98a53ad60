"""What is made of a model's answer."""

import json
from time import thread_time

import pytest

from tests.trainer.rationales.endpoints import completion
from trainer.rationales.answer import LONGEST, Failure, read_answer, read_rationale

SENTENCE = "I want a hat that keeps me warm."


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        f"  \n{SENTENCE}\n\n",
        f'"{SENTENCE}"',
        f"'{SENTENCE}'",
        f"“{SENTENCE}”",
        f"`{SENTENCE}`",
        f"**{SENTENCE}**",
        f"Rationale: {SENTENCE}",
        f"rationale:{SENTENCE}",
        f"**Rationale:** {SENTENCE}",
        f"**Rationale**: {SENTENCE}",
        f"**Rationale: {SENTENCE}**",
        f'Rationale: "{SENTENCE}"',
        f'"Rationale: {SENTENCE}"',
        f"```\n{SENTENCE}\n```",
        f"```text\n{SENTENCE}\n```",
        f"```{SENTENCE}```",
        f'```\nRationale: "{SENTENCE}"\n```',
        f"<think>The page shows\nhats.</think>\n\n{SENTENCE}",
        f"<thinking>Hats.</thinking>{SENTENCE}",
        f"The page shows hats.\n</think>\n{SENTENCE}",
        f"<think>One.</think><think>Two.</think>{SENTENCE}",
    ],
)
def test_what_models_wrap_a_sentence_in_comes_off(text: str) -> None:
    assert read_rationale(text) == SENTENCE


@pytest.mark.parametrize(
    "text",
    [
        '"Warm" and "cheap" is what the reviews say, so I buy it, not "later".',
        '"Warm" is what I need, and this says "warm"',
        "I'm after a rationale: something warm.",
        "It's the shop's best price.",
        "I compare 5 < 6 and <b>bold</b> things.",
    ],
)
def test_what_belongs_to_a_sentence_stays(text: str) -> None:
    assert read_rationale(text) == text


def test_a_sentence_is_a_rationale_with_the_servers_count_of_tokens() -> None:
    answer = read_answer(completion(f'"{SENTENCE}"').body)
    assert answer == (SENTENCE, None, "", 100, 10)


@pytest.mark.parametrize(
    ("text", "finish_reason", "failure"),
    [
        (None, "stop", Failure.EMPTY),
        ("", "stop", Failure.EMPTY),
        (' " " ', "stop", Failure.EMPTY),
        ("…", "stop", Failure.EMPTY),
        ("<think>I wonder.</think>", "stop", Failure.EMPTY),
        ("Rationale:", "stop", Failure.EMPTY),
        (None, "tool_calls", Failure.EMPTY),
        ("I want a hat that", "length", Failure.CUT_SHORT),
        ("<think>I wonder whether. ", "length", Failure.CUT_SHORT),
        ("", "length", Failure.CUT_SHORT),
        ("I want\na hat.", "stop", Failure.SEVERAL_LINES),
        ("I want\u2028a hat.", "stop", Failure.SEVERAL_LINES),
        (f"```\n{SENTENCE}\n```\nThat is why.", "stop", Failure.SEVERAL_LINES),
        ("I want a hat" + "!" * LONGEST, "stop", Failure.TOO_LONG),
        ("I want " * 10_000, "stop", Failure.TOO_LONG),
        ("I want \x1b[31ma hat.", "stop", Failure.NOT_TEXT),
        ("I want \x00a hat.", "stop", Failure.NOT_TEXT),
        ("I want \x9ba hat.", "stop", Failure.NOT_TEXT),
        (SENTENCE, "content_filter", Failure.REFUSED),
        (None, "content_filter", Failure.REFUSED),
    ],
)
def test_an_answer_that_cannot_be_used_says_why(text: str | None, finish_reason: str, failure: Failure) -> None:
    answer = read_answer(completion(text, finish_reason).body)
    assert (answer.rationale, answer.failure) == (None, failure)
    assert (answer.prompt_tokens, answer.completion_tokens) == (100, 10), "it was paid for all the same"
    assert len(answer.said) <= LONGEST


@pytest.mark.parametrize("text", [SENTENCE, f'"{SENTENCE}"', "これが欲しい。", "Do I want this?"])
def test_an_answer_cut_after_its_sentence_ended_is_used(text: str) -> None:
    assert read_answer(completion(text, "length").body).failure is None


def test_a_refusal_is_told_in_the_models_words() -> None:
    answer = read_answer(completion(None, refusal="I cannot help with that.").body)
    assert (answer.failure, answer.said) == (Failure.REFUSED, "I cannot help with that.")


def test_600_characters_are_a_rationale_and_601_are_not() -> None:
    assert read_answer(completion("I" * 600).body).failure is None
    assert read_answer(completion("I" * 601).body).failure is Failure.TOO_LONG


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None, "completion_tokens": None}, {"total_tokens": 3}])
def test_a_server_that_does_not_count_tokens_is_understood(usage: dict[str, int]) -> None:
    answer = read_answer(completion(SENTENCE, usage=usage).body)
    assert answer == (SENTENCE, None, "", None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome</html>",
        b"null",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b'{"choices": [{"message": {"content": "half \\ud800 a pair"}}]}',
        b'{"choices": [{"message": {"content": "caf\xe9"}}]}',
        b"[" * 100_000,
        json.dumps({"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": -5}}).encode(),
        json.dumps({"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 10**30}}).encode(),
    ],
)
def test_what_is_no_chat_completion_is_told_as_such(body: bytes) -> None:
    answer = read_answer(body)
    assert (answer.rationale, answer.failure) == (None, Failure.NOT_A_COMPLETION)


@pytest.mark.parametrize("text", ["<think>", "```", '"', "</think>", "**", "Rationale:", "'\"", "```a\n"])
def test_reading_takes_time_in_proportion_to_the_answer(text: str) -> None:
    def seconds(times: int) -> float:
        start = thread_time()
        read_rationale(text * times)
        return thread_time() - start

    seconds(1_000)
    assert min(seconds(200_000) for _ in range(3)) < 400 * max(min(seconds(1_000) for _ in range(3)), 1e-3)
