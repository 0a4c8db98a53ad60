"""What a model has to read: each prompt once, with the different rationales that follow it."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from reward_server.certainty.source import EvidenceError, EvidenceFault, RationaleRequest, SourceError
from reward_server.certainty.span import RationaleFinder, RationaleTokens, SpanError, TokenizerError

T = TypeVar("T")


class Measurement(NamedTuple):
    """One rationale to be measured, and which requests of the batch have it."""

    tokens: RationaleTokens
    """Up to the rationale's end: what follows has no part in its probabilities."""
    indexes: list[int]


class PromptGroup(NamedTuple):
    """Completions of one prompt; without a prompt the completions follow nothing."""

    prompt_token_ids: list[int]
    measurements: list[Measurement]


def group_by_prompt(
    requests: Sequence[RationaleRequest], finder: RationaleFinder, longest: int | None
) -> list[PromptGroup]:
    """Tokenize a batch and group it by prompt, equal rationales taken together.

    `longest` is the model's context in tokens, which nothing is cut to fit. Raises EvidenceError naming every request
    that is too long for it, or whose tokens are not those of its text; SourceError for a tokenizer that cannot read.
    """
    groups: dict[tuple[int, ...], dict[tuple[int, tuple[int, ...]], Measurement]] = {}
    prompts: dict[str, tuple[int, ...]] = {}
    faults: list[EvidenceFault] = []
    for index, request in enumerate(requests):
        try:
            prompt = _prompt_token_ids(request, finder, prompts)
            tokens = _rationale_tokens(request, finder)
            _check(request, prompt, tokens, longest)
        except _Unmeasurable as error:
            faults.append(EvidenceFault(index, error.path, str(error)))
            continue
        except TokenizerError as error:
            raise SourceError(str(error)) from None
        read = tuple(tokens.token_ids[: tokens.end])
        measurement = Measurement(RationaleTokens(read, tokens.start, tokens.end), [])
        groups.setdefault(prompt, {}).setdefault((tokens.start, read), measurement).indexes.append(index)
    if faults:
        raise EvidenceError(faults)
    return [PromptGroup(list(prompt), list(measurements.values())) for prompt, measurements in groups.items()]


def in_order(groups: Sequence[PromptGroup], answers: Sequence[Sequence[T]]) -> list[T]:
    """What was found for each measurement of each group, in the order of the requests."""
    found = {
        index: answer
        for group, of_group in zip(groups, answers, strict=True)
        for measurement, answer in zip(group.measurements, of_group, strict=True)
        for index in measurement.indexes
    }
    return [found[index] for index in range(len(found))]


class _Unmeasurable(ValueError):
    """What is wrong with one request, and in which field."""

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.path = path


def _prompt_token_ids(
    request: RationaleRequest, finder: RationaleFinder, known: dict[str, tuple[int, ...]]
) -> tuple[int, ...]:
    if request.prompt_token_ids:
        for position, number in enumerate(request.prompt_token_ids):
            if number >= finder.vocab_size:
                reason = f"the id {number} is outside the model's vocabulary of {finder.vocab_size}"
                raise _Unmeasurable(("prompt_token_ids", position), reason)
        return tuple(request.prompt_token_ids)
    prompt = request.prompt or ""
    if prompt not in known:
        try:
            known[prompt] = tuple(finder.encode(prompt)) if prompt else ()
        except TypeError:
            raise _Unmeasurable(("prompt",), "not valid Unicode: half of a surrogate pair") from None
    return known[prompt]


def _rationale_tokens(request: RationaleRequest, finder: RationaleFinder) -> RationaleTokens:
    if request.completion_token_ids is None:
        return finder.in_text(request.completion)
    try:
        return finder.in_tokens(request.completion, request.completion_token_ids)
    except SpanError as error:
        raise _Unmeasurable(("completion_token_ids",), str(error)) from None


def _check(request: RationaleRequest, prompt: Sequence[int], tokens: RationaleTokens, longest: int | None) -> None:
    if not prompt and tokens.start == 0 < tokens.end:
        reason = "the rationale begins in the completion's first token, whose probability needs a prompt"
        raise _Unmeasurable(("prompt",), reason)
    needed = len(prompt) + tokens.end
    if longest is not None and needed > longest:
        raise _Unmeasurable(
            ("prompt_token_ids",) if request.prompt_token_ids else ("prompt",) if prompt else ("completion",),
            f"the prompt's {len(prompt)} tokens and {tokens.end} of the completion up to the rationale's end are "
            f"{needed}, more than the {longest} that the model reads",
        )
