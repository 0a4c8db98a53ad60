"""What a run would ask."""

from pathlib import Path

from tests.trainer.sessions.support import HOME, LEAVE, SEARCH, shopping, step
from trainer.rationales.answer import Answer
from trainer.rationales.estimate import Estimate, estimate, roughly
from trainer.rationales.journal import Key, open_journal
from trainer.rationales.request import Asking, make_request
from trainer.sessions.schema import Session

BARE = Session.model_validate({"session": "s2", "steps": [step("<p>x</p>" * 100, SEARCH), step(HOME, LEAVE)]})
FULL = Session.model_validate(shopping())
ASKING = Asking("m", max_page_chars=300)


def one_each(text: str) -> int:
    return 1


def test_four_characters_are_a_token_and_a_started_one_counts() -> None:
    assert [roughly(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_steps_without_a_rationale_are_requests() -> None:
    result = estimate([FULL, BARE], ASKING, one_each, None)
    # A request has two messages and the opening of the answer.
    assert result == Estimate(sessions=2, kept=3, reused=0, requests=2, pages_cut=1, prompt_tokens=2 * 3)


def test_to_replace_is_to_ask_everything() -> None:
    assert estimate([FULL, BARE], Asking("m", replace=True), one_each, None).requests == 5


def test_tokens_are_those_of_the_questions() -> None:
    lengths = [make_request(BARE, index, ASKING).length(len) for index in range(2)]
    assert estimate([BARE], ASKING, len, None).prompt_tokens == sum(lengths)


def test_what_the_journal_knows_is_not_asked(tmp_path: Path) -> None:
    with open_journal(tmp_path / "a.journal") as journal:
        journal.add(Key("s2", 2, make_request(BARE, 1, ASKING).digest), "m", Answer("I am done.", None))
        result = estimate([BARE], ASKING, one_each, journal)
    assert (result.reused, result.requests) == (1, 1)
