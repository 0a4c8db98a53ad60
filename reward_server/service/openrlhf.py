"""The OpenRLHF dialect: `{"query", "prompts", "labels"}` in, `{"rewards", "scores", "extra_logs"}` out.

OpenRLHF sends no completion, only the decoded prompt and completion in one string (`query`) and the prompt as its data
set had it (`prompts`). Checked against the package's own SingleTurnAgentExecutor, version 0.11.2.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from math import fsum
from typing import Any, Literal, NamedTuple

from reward_server import wire
from reward_server.decoding import JsonPath
from reward_server.reward.score import Terms
from reward_server.reward.spec import RewardSpec
from reward_server.reward.stream_safe import stream_safe
from reward_server.scoring import Fault, Rollout, Sample, Scored
from reward_server.service.limits import check_depth, check_length, count_within
from reward_server.service.problems import unprocessable
from reward_server.service.stock_body import StockBody
from reward_server.settings import Settings

name = "openrlhf"
request_type = wire.OpenRLHFRequest
flat = frozenset({"query", "prompts"})

SHORTEST_TAIL = 32
"""Characters of a prompt's end that it takes to recognise it by; all of a prompt that has fewer."""

_LABELS_DEPTH = 2
"""Of a label in a message."""

# Long suffixes are looked for by a long anchor, so that runs of white space do not cost a comparison per character.
_LONG_CUT_PROMPT = 4_096

_NORMAL_FORMS: tuple[Literal["NFC", "NFKC"], ...] = ("NFC", "NFKC")
_PART_OF_A_CHARACTER = "\ufffd"


class NoCompletionError(ValueError):
    """A query in which the end of its prompt cannot be found."""


def find_completion(query: str, prompt: str) -> str:
    """What follows the prompt in a query. Raises NoCompletionError rather than guess.

    The query starts with the prompt, or, when a long prompt was cut on the left, with its longest fitting suffix of at
    least 32 characters; the cut may have left part of a character, which decodes to U+FFFD. Where decoding changed the
    prompt's text, the completion follows the first place at which the shortest tail ends that has 32 characters and is
    unique in the prompt. Qwen's tokenizers put text into normal form C, others into KC, so the prompt is tried in these
    forms too, and a tail must be unique in all. Never searched from the end: a model that writes the template's markers
    itself must not move the split.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    safe = stream_safe(prompt)
    forms = list(dict.fromkeys((prompt, *(unicodedata.normalize(name, safe) for name in _NORMAL_FORMS))))
    for form in forms[1:]:
        if query.startswith(form):
            return query[len(form) :]
    whole = query.lstrip(_PART_OF_A_CHARACTER)
    for form in forms:
        if length := _cut_prompt_length(whole, form):
            return whole[length:]
    for form in forms:
        tail = _shortest_unique_tail(form, forms)
        position = query.find(tail)
        if tail and position >= 0:
            return query[position + len(tail) :]
    raise NoCompletionError(
        "the query neither starts with its prompt, or with the last 32 or more characters of it, "
        f"nor contains the prompt's end {prompt[-80:]!r}: where the completion begins is unknown"
    )


def count(message: Mapping[str, Any], settings: Settings) -> int:
    """How many rollouts there are. Raises a 422 Problem for too many."""
    return count_within("/query", message["query"], settings)


def to_rollouts(request: wire.OpenRLHFRequest, settings: Settings) -> list[wire.Rollout]:
    """One rollout per query.

    Raises a 422 Problem for lists of different lengths, for what is over a limit, and for a query whose prompt's end
    cannot be found.
    """
    count = len(request.query)
    for values_name, values in (("prompts", request.prompts), ("labels", request.labels)):
        if len(values) != count:
            reason = f"{len(values)} {values_name} for {count} queries"
            raise unprocessable("mismatched-lengths", (f"/{values_name}", reason))
    rollouts, faults = [], []
    for index, (query, prompt, label) in enumerate(zip(request.query, request.prompts, request.labels, strict=True)):
        check_length(f"/query/{index}", len(query), settings)
        check_length(f"/prompts/{index}", len(prompt), settings)
        try:
            completion = find_completion(query, prompt)
        except NoCompletionError as error:
            faults.append((f"/query/{index}", str(error)))
        else:
            # Of a prompt that was cut, the model saw what the query has of it.
            seen = query[: len(query) - len(completion)]
            rollouts.append(wire.Rollout(completion=completion, label=label, prompt=seen))
    if faults:
        raise unprocessable("no-completion", *faults)
    return rollouts


def stock_rollout(body: StockBody, settings: Settings) -> Sample:
    """The rollout in the body that stock OpenRLHF posts. Raises a 422 Problem for what is over a limit."""
    if body.brackets > settings.max_depth - _LABELS_DEPTH:
        check_depth({"labels": [body.label]}, flat, settings)
    check_length("/query/0", len(body.prompt) + len(body.completion), settings)
    return Sample(body.completion, body.label, body.prompt)


def locate(fault: Fault) -> JsonPath:
    """Where in the request a rollout's fault stands; what OpenRLHF cannot send at all is put down to the query."""
    field, *rest = fault.path
    return ("labels", fault.index, *rest) if field == "label" else ("query", fault.index)


def reply(_rollouts: Sequence[Rollout], scored: Sequence[Scored], spec: RewardSpec) -> dict[str, object]:
    """The answer OpenRLHF reads; `extra_logs` holds means, with the same keys in every reply under one spec."""
    return {
        "rewards": [item.card.reward for item in scored],
        "scores": [item.card.score for item in scored],
        "extra_logs": _means(scored, _Logged.of(tuple(spec.action_space))) if scored else {},
    }


def _means(scored: Sequence[Scored], logged: "_Logged") -> dict[str, float]:
    rows = [logged.row(item) for item in scored]
    means = rows[0] if len(rows) == 1 else [fsum(column) / len(rows) for column in zip(*rows, strict=True)]
    return dict(zip(logged.names, means, strict=True))


class _Logged(NamedTuple):
    """What is logged of a rollout under specs with the same action types."""

    names: tuple[str, ...]
    predicted: Mapping[str | None, tuple[float, ...]]
    """By predicted type, None for an invalid completion: what of the last names is 1."""
    unknown: tuple[float, ...]
    """The same of any other type."""

    @staticmethod
    @cache
    def of(types: tuple[str, ...]) -> "_Logged":
        columns = [*types, "unknown_type"]
        ones: dict[str | None, tuple[float, ...]] = {
            column: tuple(float(other == column) for other in columns) for column in columns
        }
        unknown = ones.pop("unknown_type")
        names = (
            *(f"term_{name}" for name in Terms._fields),
            *("certainty_nats", "certainty_width", "certainty_without_context", "valid", "type_match", "exact_match"),
            *(f"predicts_{column}" for column in columns),
        )
        ones[None] = tuple(0.0 for _ in columns)
        return _Logged(names, ones, unknown)

    def row(self, item: Scored) -> tuple[float, ...]:
        card, certainty = item.card, item.certainty
        measured = (0.0, 0.0, 0.0)
        if certainty is not None:
            measured = (certainty.value, certainty.upper - certainty.lower, float(not certainty.context))
        predicted = None if card.action is None else card.action.type
        matched = (float(predicted is not None), float(card.type_match), float(card.exact_match))
        return (*card.terms, *measured, *matched, *self.predicted.get(predicted, self.unknown))


def _cut_prompt_length(query: str, prompt: str) -> int:
    """How much of the prompt's end the query starts with, short of all of it; 0 for less than 32 characters."""
    for least, most, tries in ((_LONG_CUT_PROMPT, len(prompt), 256), (SHORTEST_TAIL, _LONG_CUT_PROMPT, 4_096)):
        anchor = query[:least]
        if len(anchor) < least:
            continue
        position = prompt.find(anchor, max(1, len(prompt) - most))
        comparisons = 0
        while position >= 0:
            if query.startswith(prompt[position:]):
                return len(prompt) - position
            position = prompt.find(anchor, position + 1)
            comparisons += 1
            if comparisons > tries:
                raise NoCompletionError(
                    "the prompt repeats itself so much that it cannot be told where the query's cut lies in it"
                )
    return 0


def _shortest_unique_tail(prompt: str, forms: Sequence[str]) -> str:
    """The shortest suffix of SHORTEST_TAIL characters or more that stands once in the prompt and in no form twice."""
    shortest, longest = min(SHORTEST_TAIL, len(prompt)), len(prompt)
    while shortest < longest:
        middle = (shortest + longest) // 2
        if all(_occurs_once(prompt[-middle:], form) for form in forms):
            longest = middle
        else:
            shortest = middle + 1
    return prompt[-longest:]


def _occurs_once(tail: str, text: str) -> bool:
    """Whether `tail` stands in `text` at most once, overlaps counted."""
    first = text.find(tail)
    return first < 0 or text.find(tail, first + 1) < 0
