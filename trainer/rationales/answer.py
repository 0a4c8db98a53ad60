"""Reads what a model answered: one sentence, or why it cannot be used."""

import re
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, ValidationError

LONGEST = 600
"""Characters of a rationale; a longer answer is no sentence."""

_LONGEST_READ = 8 * LONGEST
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "「": "」", "`": "`", "**": "**"}
_LABEL = re.compile(r"\s*(?:\*\*|__)?\s*rationale\s*(?:\*\*|__)?\s*[::]\s*(?:\*\*|__)?", re.IGNORECASE)
_FENCE = re.compile(r"```(?:[\w-]*[ \t]*\n)?(.*?)```", re.DOTALL)
_THOUGHT_OPENS = re.compile("<think(?:ing)?>", re.IGNORECASE)
_THOUGHT_CLOSES = re.compile("</think(?:ing)?>", re.IGNORECASE)
_SENTENCE_ENDS = ".!?…。!?।"
_CLOSING = "\"'”’»」)*_`"


class Failure(StrEnum):
    """Why a step has got no rationale."""

    EMPTY = "empty"
    """No words, thoughts aside."""
    CUT_SHORT = "cut_short"
    """Cut at the limit of tokens before the sentence ended."""
    SEVERAL_LINES = "several_lines"
    TOO_LONG = "too_long"
    """More than `LONGEST` characters."""
    REFUSED = "refused"
    """The model would not say, or a content filter held it back."""
    NOT_TEXT = "not_text"
    """With control characters in it."""
    NOT_A_COMPLETION = "not_a_completion"
    """An answer of the server's that is no chat completion."""
    REJECTED = "rejected"
    """Turned down by the server (400, 413, 422): a prompt too long for the model, as a rule; see --max-page-chars."""
    RATE_LIMITED = "rate_limited"
    """Still refused for coming too often (429) after every retry; so are the next three, for their own reasons."""
    SERVER_ERROR = "server_error"
    TIMED_OUT = "timed_out"
    CONNECTION_LOST = "connection_lost"


class Answer(NamedTuple):
    """An answer, paid for: a rationale or the reason why there is none."""

    rationale: str | None
    failure: Failure | None
    said: str = ""
    """What stood there, where it cannot be used."""
    prompt_tokens: int | None = None
    """As the server counted them; None where it does not say."""
    completion_tokens: int | None = None


_Count = Annotated[int, Field(ge=0, lt=2**53)]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


def read_answer(body: bytes) -> Answer:
    """The answer in the body of a chat completion."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        return Answer(None, Failure.NOT_A_COMPLETION, body[:LONGEST].decode(errors="replace"))
    choice, usage = completion.choices[0], completion.usage or _Usage()
    said = choice.message.content or choice.message.refusal or ""
    rationale = read_rationale(choice.message.content or "")
    failure = _failure(rationale, choice)
    tokens = (usage.prompt_tokens, usage.completion_tokens)
    return Answer(rationale, None, "", *tokens) if failure is None else Answer(None, failure, said[:LONGEST], *tokens)


def read_rationale(text: str) -> str:
    """What an answer says, without what models wrap it in: thoughts, code fences, a heading, quotation marks."""
    text = _THOUGHT_CLOSES.split(text)[-1]
    text = _THOUGHT_OPENS.split(text, maxsplit=1)[0].strip()
    if len(text) > _LONGEST_READ:
        return text
    while (inner := _unwrap(text).strip()) != text:
        text = inner
    return text


def _unwrap(text: str) -> str:
    if fence := _FENCE.fullmatch(text):
        return fence[1]
    for opens, closes in _QUOTES.items():
        inner = text[len(opens) : -len(closes)]
        # "Nice" and "cheap" opens and closes with a quotation mark, and is not in quotation marks.
        if text.startswith(opens) and text.endswith(closes) and len(text) > 1 and f" {opens}" not in inner:
            return inner
    label = _LABEL.match(text)
    return text[label.end() :] if label else text


def _failure(rationale: str, choice: _Choice) -> Failure | None:
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return Failure.REFUSED
    if choice.finish_reason == "length" and not rationale.rstrip(_CLOSING).endswith(tuple(_SENTENCE_ENDS)):
        return Failure.CUT_SHORT
    if not any(character.isalnum() for character in rationale):
        return Failure.EMPTY
    if len(rationale.splitlines()) > 1:
        return Failure.SEVERAL_LINES
    if len(rationale) > LONGEST:
        return Failure.TOO_LONG
    if any(character < " " or "\x7f" <= character < "\xa0" for character in rationale):
        return Failure.NOT_TEXT
    return None
